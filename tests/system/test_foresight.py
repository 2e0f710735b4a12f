"""Odd mails as a real server tells of them: none is left out that would have fitted, once fetched and taken apart."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from tests.mail.mails import taken_apart
from tests.system.dovecot import Dovecot
from watcher.config.patterns import parse_pattern
from watcher.config.rules import Condition, Rule
from watcher.config.secret import Secret
from watcher.imap.dial import Endpoint
from watcher.imap.link import connect
from watcher.imap.outlines import Question
from watcher.imap.sasl import Credential
from watcher.rules.match import Answer, judge
from watcher.rules.prefilter import Prefilter
from watcher.rules.sight import whole

pytestmark = pytest.mark.system

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
COUNT = 200  #: mails

#: What servers and parsers may take for a header in two ways, each by chance with others.
LINES = (
    *(b"From: a@b", b"From : a@b", b"from: =?utf-8?q?=C3=A4?= <a@b>", b"From:", b">From someone", b"From x Mon Jan 1"),
    *(
        b"Subject: wanted",
        b"Subject : wanted",
        b"SUBJECT: =?utf-8?b?d2FudGVk?=",
        b"Subject:\r\n wanted",
        b"Subject: no",
    ),
    *(b"Subject: wan\x01ted", b"Subject: wan\rted", b"X: y\rSubject: wanted", b"\xef\xbb\xbfSubject: wanted"),
    *(
        b"no field at all",
        b": no name",
        b"Sub ject: x",
        b" X-Wanted: yes",
        b"X-Wanted",
        b"X-Wanted:yes",
        b"X-Wanted : y",
    ),
    *(b"To: me@x", b"To : me@x", b"cC: me@x", b"", b" ", b"X-Long: " + b"y" * 3000, b"Content-Type: text/plain"),
    *(b"Content-Type: application/pdf; name=a.pdf", b"Content-Type: multipart/mixed; boundary=b", b"Content-Type:"),
    *(b'Content-Type: multipart/mixed;\r\n boundary="b', b"Content-Type: message/rfc822", b"Content-Type: garbage"),
    *(b"Content-Disposition : attachment; filename=a.pdf", b"Content-Type : application/pdf; name=a.pdf"),
)
PDF = b"Content-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n"
BODIES = (
    *(b"hi\r\n", b"begin 644 a.pdf\r\n#0V%T\r\n`\r\nend\r\n", b"--b\r\n\r\nhi\r\n--b\r\n" + PDF + b"--b--\r\n"),
    *(
        b"--b\r\n\r\nhi\r\n--b \r\n" + PDF,
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: i@n\r\n" + PDF + b"--b--\r\n",
    ),
)
WANTED = (
    *(Condition(from_=(parse_pattern("*@b"),)), Condition(subject=(parse_pattern("*wanted*"),))),
    *(Condition(to=(parse_pattern("me@x"),)), Condition(cc=(parse_pattern("*"),))),
    *(Condition(header={"x-wanted": (parse_pattern("*"),)}), Condition(attachment=(parse_pattern("*.pdf"),))),
    *(Condition(attachment_type=(parse_pattern("*/pdf"),)), Condition(attachment_type=(parse_pattern("message/*"),))),
)


def odd_mail(random: Random) -> bytes:
    header = [random.choice(LINES) for _ in range(random.randint(1, 6))]
    header.insert(random.randint(0, len(header)), b"From: a@b")
    if random.random() < 0.5:
        header.append(b"Content-Type: multipart/mixed; boundary=b")
    raw = b"\r\n".join(header) + random.choice((b"\r\n\r\n", b"\r\n")) + random.choice(BODIES)
    return raw if random.random() < 0.7 else raw.replace(b"\r\n", b"\n")


def test_no_odd_mail_is_missed(tmp_path):
    random, refused = Random(5), 0
    for outline, sight in told([odd_mail(random) for _ in range(COUNT)], tmp_path):
        for condition in (*WANTED, *(Condition(unless=each) for each in WANTED)):
            rules = [Rule(name="rule", when=condition)]
            if Prefilter(lambda rules=rules: rules).refuses(outline, "alice", "INBOX", NOW.timestamp()):
                refused += 1
                assert judge(condition, sight) is Answer.NO, (condition, outline)
    assert refused > COUNT


def told(mails, scratch):
    """Each mail as the server describes it, with a closer look, and as it is once taken apart."""
    with Dovecot() as server:
        with server.imap("alice") as mailbox:
            for raw in mails:
                mailbox.append("INBOX", None, None, raw)
        there = Endpoint("127.0.0.1", server.port, ca_file=server.ca_file)
        with closing(connect(there, Credential("alice", Secret(server.password)))) as link:
            link.examine("INBOX")
            uids = range(1, len(mails) + 1)
            for outline in link.outlines(uids, Question(header=True, parts=True)):
                unpacked = taken_apart(scratch / str(outline.uid), link.whole(outline.uid))
                message = replace(unpacked.message, account="alice", folder="INBOX", received=outline.received)
                sight = whole(message, unpacked.text or "", NOW.timestamp())
                yield outline, sight
                if outline.leaves and outline.leaves[0].section:
                    yield link.look_closer(outline), sight
