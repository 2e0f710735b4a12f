"""A mail is left out only if the whole of it would not have fitted either."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.fakes.imap_server import header_fields
from tests.fakes.structure import body_structure
from tests.mail.mails import lines, multipart, part, taken_apart
from tests.rules.conftest import NOW
from tests.rules.test_match import FITTING, OTHER
from tests.system.mails import mails
from watcher.config import Rule
from watcher.imap.outlines import Leaf, Outline, Question, outlines
from watcher.rules.match import Answer, judge
from watcher.rules.sieve import Sieve
from watcher.rules.sight import whole

RECEIVED = datetime(2026, 11, 21, 10, tzinfo=UTC)
HEADER = b"From: Ann <ann@supplier.example>\r\nTo: me@example.com\r\nSubject: Invoice 66\r\n\r\n"
OUTLINE = Outline(7, 20_000, RECEIVED, HEADER, (Leaf("text/html", "", False, 19_000),))
ZIP = Leaf("application/zip", "all.zip", True, 19_000)


@pytest.fixture
def sieve(when):
    def build(*written):
        rules = [Rule(name=str(number), when=when(each) if each else None) for number, each in enumerate(written)]
        return Sieve(lambda: rules)

    return build


# --- whether it is worth asking, and for what -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "question"),
    [
        (["from = '*@x'"], Question(("From",))),
        (["subject = 'x'", "to = 'x'"], Question(("From", "Subject", "To", "Cc"))),
        (["header = { list-id = 'x' }"], Question(("From", "List-Id"))),
        (["size = '>1M'"], Question()),
        (["age = '>1d'", "attachment = '*.pdf'"], Question((), parts=True)),
        (["from = '*@x', body = '*y*', trust = 'verified'"], Question(("From",))),
        (["any = [{ from = '*@x' }, { subject = 'y' }]"], Question(("From", "Subject"))),
        (["all = [{ body = 'x' }, { subject = 'y' }]"], Question(("From", "Subject"))),
        (["not = { from = '*@x' }"], Question(("From",))),
        (["not = { not = { from = '*@x' } }"], Question(("From",))),
        (["account = 'other'"], Question()),  # no rule is for this folder: nothing is to be asked
        (["account = 'other'", "from = 'x'"], Question(("From",))),
        # Every mail may be wanted, whatever the server would tell.
        ([], None),
        ([""], None),
        (["from = '*@x'", ""], None),
        (["folder = 'INBOX'"], None),
        (["body = '*x*'"], None),
        (["kind = 'bounce'", "from = 'x'"], None),
        (["trust = 'verified'"], None),
        (["not = { body = 'x' }"], None),
        (["not = { attachment = '*' }"], None),
        (["not = { from = 'x', trust = 'verified' }"], None),
        (["any = [{ from = '*@x' }, { body = 'y' }]"], None),
        (["not = { all = [{ from = '*@x' }, { reply = 'y' }] }"], None),
        (["not = { any = [{ body = 'x' }, { reply = 'y' }] }"], None),
    ],
)
def test_what_is_asked(sieve, rules, question):
    assert sieve(*rules).question("support", "INBOX") == question


# --- what the answer means ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ("from = '*@supplier.example'", False),
        ("from = '*@other.example'", True),
        ("from = 'ann'", False),
        ("to = 'me@example.com'", False),
        ("to = 'you@example.com'", True),
        ("cc = '*'", True),
        ("subject = '*offer*'", True),
        ("header = { X-Order = '*' }", True),
        ("not = { from = '*@supplier.example' }", True),
        ("not = { from = '*@other.example' }", False),
        ("not = { header = { X-Spam = '*' } }", False),
        ("size = '>1M'", True),
        ("size = '>30k'", False),  # RFC822.SIZE of Exchange is an estimate
        ("size = '<15k'", False),
        ("size = '<9k'", True),
        ("age = '<1h'", True),
        ("age = '<3h'", False),
        ("from = '*@supplier.example', subject = '*offer*'", True),
        ("from = '*@other.example', trust = 'verified'", True),
        ("from = '*@supplier.example', trust = 'verified'", False),
        ("subject = '*offer*', kind = 'list', body = '*x*'", True),
        ("attachment = '*.pdf'", True),
        ("attachment_type = 'application/pdf'", True),
        ("attachment_type = 'text/html'", True),
        ("any = [{ subject = '*offer*' }, { from = '*@other.example', body = 'x' }]", True),
        ("any = [{ subject = '*offer*' }, { body = 'x' }]", False),
        ("folder = 'Other'", True),
    ],
)
def test_what_is_refused(sieve, rule, refused):
    assert sieve(rule).refuses(OUTLINE, "support", "INBOX", NOW) is refused
    assert not sieve(rule, "from = '*supplier*'").refuses(OUTLINE, "support", "INBOX", NOW), "one rule is enough"


@pytest.mark.parametrize(
    ("rule", "leaves", "refused"),
    [
        ("attachment = '*.pdf'", (ZIP,), True),
        ("attachment = '*.zip'", (ZIP,), False),
        ("attachment = '*.zip', attachment_type = 'image/*'", (ZIP,), True),
        ("attachment = '*.pdf'", (replace(ZIP, name=None),), False),
        ("attachment = '*.pdf'", (replace(ZIP, name=""),), False),  # it gets a name from us
        ("attachment_type = '*/pdf'", (replace(ZIP, name=None),), True),
        ("attachment = '*.pdf'", (replace(ZIP, type="application/ms-tnef"),), False),  # holds files of its own
        ("attachment = '*.pdf'", (replace(ZIP, name="WINMAIL.DAT"),), False),
        ("attachment = '*.pdf'", (Leaf("text/plain", "", False, 19_000),), False),  # one may stand there uuencoded
        ("attachment_type = '*/pdf'", (Leaf("text/plain", "", False, 19_000),), True),
        ("attachment_type = '*/octet-stream'", (Leaf("text/plain", "", False, 19_000),), False),
        ("attachment = '*.pdf'", (Leaf("text/plain", "a.txt", True, 19_000),), True),
        ("attachment = '*.txt'", (Leaf("text/plain", "a.txt", True, 19_000),), False),
        ("attachment = '*.pdf'", (), True),
        ("attachment = '*.pdf'", None, False),
        ("not = { attachment = '*.zip' }", (ZIP,), False),  # that it is one, only the mail itself says
    ],
)
def test_attachments(sieve, rule, leaves, refused):
    size = 20_000 if leaves else 900
    assert sieve(rule).refuses(replace(OUTLINE, leaves=leaves, size=size), "support", "INBOX", NOW) is refused


def test_parts_that_are_not_told_of(sieve):
    """A mail much bigger than its parts has others."""
    assert not sieve("attachment = '*.pdf'").refuses(replace(OUTLINE, size=1 << 20), "support", "INBOX", NOW)


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"\r\n",
        b"Subject: x\r\n\r\n",  # every mail has a From; without it nobody knows what the server saw
        b"From: a@b\r\nFrom: c@d\r\n\r\n",
        b"From: \xc3\xa4 <a@b>\r\n\r\n",
        b"From: a@b\r\nno field\r\nSubject: x\r\n\r\n",
        b"From: " + b"a@b, " * 4000 + b"\r\n\r\n",
    ],
)
def test_a_header_that_may_be_read_in_two_ways_refuses_nothing(sieve, header):
    outline = replace(OUTLINE, header=header)
    for rule in (
        "from = 'x'",
        "to = 'x'",
        "cc = 'x'",
        "subject = 'x'",
        "header = { X-A = 'x' }",
        "not = { from = '*' }",
    ):
        assert not sieve(rule).refuses(outline, "support", "INBOX", NOW)


def test_nothing_told_nothing_refused(sieve):
    bare = Outline(7, None, None, None, None)
    for rule in (*FITTING, *OTHER):
        if "folder" not in rule and "account" not in rule:
            assert not sieve(rule).refuses(bare, "support", "INBOX", NOW), rule


# --- the same mail, from outside and whole --------------------------------------------------------------------------

ODD = [
    lines("From: Ann <billing@supplier.example>", "Subject: Your Invoice 66", "", "Dear all"),
    lines("From: =?utf-8?q?Ann_Supplier?= <Billing@Supplier.example>", "Subject: =?utf-8?b?SW52b2ljZQ==?=", "", ""),
    lines("From: team: ann@supplier.example, bob@x.example;", "To: undisclosed-recipients:;", "", ""),
    lines("From: boss@example.com <evil@elsewhere.example>", "Subject:", "", ""),
    lines('From: "a, b" <c@d>, e@supplier.example', "Received: from a", "Received: from b", "", ""),
    lines("From: a@b", "From: billing@supplier.example", "", ""),
    lines("From: a@b", "Subject: one", "Subject: Your Invoice 66", "X-Empty:", "", ""),
    lines("From: a@b", "Subject: folded", " invoice 66", "", ""),
    lines("From: a@b", "To: b@c", "", "begin 644 a.pdf", "#0V%T", "`", "end"),
    lines("Subject: nobody's", "", ""),
    lines("", "no header"),
    b"From: a@b\nSubject: invoice\n\nunix lines\n",
    lines("From: a@b") + multipart(part("hi"), part("x", "Content-Type: application/pdf; name=my file.pdf")),
    lines("From: a@b")
    + multipart(part("hi", "Content-Type: text/html"), part("x", "Content-Type: image/png; name*=utf-8''l%C3%A4.png")),
    lines("From: a@b") + multipart(part("x", "Content-Type: application/pdf")),
    lines("From: a@b", "Content-Type: multipart/mixed", "", "no boundary"),
]
RULES = [
    *FITTING,
    *OTHER,
    *(
        f"from = '*', {key} = '{glob}'"
        for key in ("attachment", "attachment_type")
        for glob in ("*", "*.pdf", "*.txt", "*/pdf", "*/octet-stream", "part-1.*", "*.png", "text/*")
    ),
    "from = ''".replace("''", "'*@*'"),
    "size = '<1k'",
    "size = '>100k'",
]


def test_nobody_is_missed(when, tmp_path):
    """Whatever the outline refuses, the whole mail would not have fitted; and it does refuse much."""
    conditions = [when(rule) for rule in RULES] + [when(f"not = {{ {rule} }}") for rule in RULES]
    refused = 0
    for number, raw in enumerate([*ODD, *(mail.raw for mail in mails(25))]):
        unpacked = taken_apart(tmp_path / str(number), raw)
        message = replace(unpacked.message, account="support", folder="INBOX", received=RECEIVED)
        sight = whole(message, unpacked.text or "", NOW)
        for condition in conditions:
            sieve = Sieve(lambda condition=condition: [Rule(name="r", when=condition)])
            question = sieve.question("support", "INBOX")
            if question and sieve.refuses(told(raw, question), "support", "INBOX", NOW):
                refused += 1
                assert judge(condition, sight) is Answer.NO, (raw[:300], condition)
    assert refused > 1000


def told(raw, question):
    """What an honest server says of a mail."""
    fields = header_fields(raw, list(question.fields)) if question.fields else b""
    line = b'1 (UID 7 RFC822.SIZE %d INTERNALDATE "21-Nov-2026 10:00:00 +0000"' % len(raw)
    line += b" BODYSTRUCTURE " + body_structure(raw) if question.parts else b""
    if question.fields:
        (found,) = outlines([(line + b" BODY[HEADER.FIELDS (X)] {%d}" % len(fields), fields), b")"], {7})
    else:
        (found,) = outlines([line + b")"], {7})
    return found
