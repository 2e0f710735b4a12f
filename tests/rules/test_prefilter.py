"""A mail is left out only if the whole of it would not have fitted either."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.fakes.structure import body_structure, part_of
from tests.mail.mails import lines, multipart, part, taken_apart
from tests.rules.conftest import NOW
from tests.rules.test_match import FITTING, OTHER
from tests.system.mails import mails
from watcher.config import Rule
from watcher.imap.outlines import OUTLINE as OUTLINE_SIZE
from watcher.imap.outlines import Closer, Leaf, Outline, Question, outlines
from watcher.rules.match import Answer, judge
from watcher.rules.prefilter import Prefilter
from watcher.rules.sight import whole

RECEIVED = datetime(2026, 11, 21, 10, tzinfo=UTC)
HEADER = (
    b"From: Ann <ann@supplier.example>\r\nTo: me@example.com\r\nSubject: Invoice 66\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
)
OUTLINE = Outline(7, 20_000, RECEIVED, HEADER, (Leaf("1", "text/html", 9_000), Leaf("2", "image/png", 10_000)))
BIG = replace(OUTLINE, size=200_000, leaves=(Leaf("1", "text/plain", 5), Leaf("2", "application/zip", 199_000)))
HELLO = Closer(b"Content-Type: text/plain\r\n\r\n", b"hello")


@pytest.fixture
def prefilter(when):
    def build(*written):
        rules = [Rule(name=str(number), when=when(each) if each else None) for number, each in enumerate(written)]
        return Prefilter(lambda: rules)

    return build


# --- whether it is worth asking, and for what -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "question"),
    [
        (["from = '*@x'"], Question(header=True)),
        (["subject = 'x'", "to = 'x'"], Question(header=True)),
        (["header = { list-id = 'x' }"], Question(header=True)),
        (["size = '>1M'"], Question()),
        (["age = '>1d'", "attachment = '*.pdf'"], Question(header=True, parts=True)),
        (["from = '*@x', body = '*y*', trust = 'verified'"], Question(header=True)),
        (["any = [{ from = '*@x' }, { subject = 'y' }]"], Question(header=True)),
        (["all = [{ body = 'x' }, { subject = 'y' }]"], Question(header=True)),
        (["not = { from = '*@x' }"], Question(header=True)),
        (["not = { not = { from = '*@x' } }"], Question(header=True)),
        (["account = 'other'"], Question()),  # no rule is for this folder: nothing is to be asked
        (["account = 'other'", "from = 'x'"], Question(header=True)),
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
def test_what_is_asked(prefilter, rules, question):
    assert prefilter(*rules).question("support", "INBOX") == question


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
        ("attachment = '*.pdf'", False),
        ("attachment_type = 'application/pdf'", True),
        ("attachment_type = 'image/*'", False),
        ("any = [{ subject = '*offer*' }, { from = '*@other.example', body = 'x' }]", True),
        ("any = [{ subject = '*offer*' }, { body = 'x' }]", False),
        ("folder = 'Other'", True),
    ],
)
def test_what_is_refused(prefilter, rule, refused):
    assert prefilter(rule).refuses(OUTLINE, "support", "INBOX", NOW) is refused
    assert not prefilter(rule, "from = '*supplier*'").refuses(OUTLINE, "support", "INBOX", NOW), "one rule is enough"


@pytest.mark.parametrize(
    ("rule", "header", "refused"),
    [
        ("attachment = '*.pdf'", "Content-Type: application/zip; name=all.zip", True),
        ("attachment = '*.zip'", "Content-Type: application/zip; name=all.zip", False),
        ("attachment = '*.zip', attachment_type = 'image/*'", "Content-Type: application/zip; name=all.zip", True),
        ("attachment = '*.zip'", "Content-Type: application/zip; name*0=all.z; name*1=ip", False),
        ("attachment = 'ä.zip'", "Content-Type: application/zip; name*=utf-8''%C3%A4.zip", False),
        ("attachment = 'ä.zip'", 'Content-Type: application/zip; name="=?utf-8?q?=C3=A4?=.zip"', False),
        ("attachment = 'my file.zip'", "Content-Type: application/zip; name=my file.zip", False),
        ("attachment = '*.pdf'", "Content-Type: application/zip", False),  # it gets a name from us
        ("attachment_type = '*/pdf'", "Content-Type: application/zip", True),
        ("attachment = '*.pdf'", "Content-Type: application/pdf; name=a.zip", False),  # the server said zip
        ("attachment = '*.pdf'", "Content-Type: application/zip; name=WINMAIL.DAT", False),  # holds files of its own
        ("attachment = '*.pdf'", "X: no type", False),
        ("not = { attachment = '*.zip' }", "Content-Type: application/zip; name=all.zip", False),  # only the mail says
    ],
)
def test_a_closer_look_at_attachments(prefilter, rule, header, refused):
    closer = (HELLO, Closer(header.encode() + b"\r\n\r\n", None))
    asked = prefilter(rule)
    assert not asked.refuses(BIG, "support", "INBOX", NOW) or "/pdf" in rule or "image" in rule
    assert asked.refuses(replace(BIG, closer=closer), "support", "INBOX", NOW) is refused
    assert (
        not asked.refuses(replace(BIG, closer=(HELLO, Closer(None, None))), "support", "INBOX", NOW) or "_type" in rule
    )


@pytest.mark.parametrize("kind", [b"text/plain", b"multipart/mixed; boundary=b\r\nFrom: x@y", b"application/pdf"])
def test_a_server_that_sees_other_parts_than_we_do(prefilter, kind):
    asked, header = prefilter("attachment_type = '*/pdf'"), HEADER.replace(b"multipart/mixed; boundary=b", kind)
    assert asked.refuses(OUTLINE, "support", "INBOX", NOW)
    assert not asked.refuses(replace(OUTLINE, header=header), "support", "INBOX", NOW)


def test_what_has_no_name_may_be_winmail(prefilter):
    """It holds files of any kind, under any type that says nothing."""
    leaves = (OUTLINE.leaves[0], Leaf("2", "application/octet-stream", 10_000))
    asked, outline = prefilter("attachment_type = 'image/*'"), replace(OUTLINE, leaves=leaves)
    assert not asked.refuses(outline, "support", "INBOX", NOW)
    html = Closer(b"Content-Type: text/html\r\n\r\n", None)
    for name, refused in ((b"a.bin", True), (b"winmail.dat", False)):
        file = Closer(b"Content-Type: application/octet-stream; name=" + name + b"\r\n\r\n", None)
        assert asked.refuses(replace(outline, closer=(html, file)), "support", "INBOX", NOW) is refused


UU = b"begin 644 a.pdf\r\n#0V%T\r\n`\r\nend\r\n"


@pytest.mark.parametrize(
    ("field", "text", "size", "refused"),
    [
        ("X: none", b"hello", 5, True),
        ("X: none", b"hello", 6, False),  # did not come whole
        ("X: none", b"y" * 16_384, 0, False),  # nor this, whatever the server counts
        ("X: none", None, 5, False),
        ("X: none", UU, len(UU), False),
        ("Content-Transfer-Encoding: base64", base64.encodebytes(UU), 64, False),
        ("Content-Type: text/plain; name=a.pdf", b"hello", 5, False),
        ("Content-Disposition: attachment; filename=a.pdf", b"hello", 5, False),
        ("Content-Disposition: attachment; filename=a.txt", UU, len(UU), True),  # an attachment is not looked into
    ],
)
def test_files_within_texts(prefilter, field, text, size, refused):
    leaves = (Leaf("1", "text/plain", size), BIG.leaves[1])
    zipped = Closer(b"Content-Type: application/zip; name=a.zip\r\n\r\n", None)
    outline = replace(BIG, leaves=leaves, closer=(Closer(field.encode() + b"\r\n\r\n", text), zipped))
    assert prefilter("attachment = '*.pdf'").refuses(outline, "support", "INBOX", NOW) is refused


def test_of_a_mail_with_one_part_its_header_tells(prefilter):
    header = b"From: a@b\r\nContent-Type: application/zip; name=all.zip\r\n\r\n"
    outline = replace(BIG, leaves=(Leaf("", "application/zip", 199_000),), header=header)
    assert prefilter("attachment = '*.pdf'").refuses(outline, "support", "INBOX", NOW)
    assert not prefilter("attachment = '*.zip'").refuses(outline, "support", "INBOX", NOW)
    assert not prefilter("attachment = '*.pdf'").refuses(replace(outline, header=HEADER), "support", "INBOX", NOW)


@pytest.mark.parametrize(
    ("rule", "changes", "worth"),
    [
        ("attachment = '*.pdf'", {}, True),
        ("from = '*@supplier.example', attachment = '*.pdf'", {}, True),
        ("attachment = '*.pdf'", {"size": 20_000}, False),  # comes as quickly as a whole
        ("attachment = '*.pdf'", {"leaves": (Leaf("1", "text/plain", 17_000), BIG.leaves[1])}, False),
        ("attachment = '*.pdf'", {"leaves": BIG.leaves * 11}, False),
        ("attachment = '*.pdf'", {"leaves": None}, False),
        ("attachment = '*.pdf'", {"header": None}, False),
        ("any = [{ attachment = '*.pdf' }, { body = 'x' }]", {}, False),
        ("from = '*@supplier.example', body = 'x'", {}, False),
    ],
)
def test_when_a_closer_look_is_worth_it(prefilter, rule, changes, worth):
    assert prefilter(rule).doubts(replace(BIG, **changes), "support", "INBOX", NOW) is worth


def test_parts_that_are_not_told_of(prefilter):
    """A mail much bigger than its parts has others."""
    asked = prefilter("attachment_type = '*/pdf'")
    assert asked.refuses(OUTLINE, "support", "INBOX", NOW)
    assert not asked.refuses(replace(OUTLINE, size=1 << 20), "support", "INBOX", NOW)


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
def test_a_header_that_may_be_read_in_two_ways_refuses_nothing(prefilter, header):
    outline = replace(OUTLINE, header=header)
    for rule in (
        "from = 'x'",
        "to = 'x'",
        "cc = 'x'",
        "subject = 'x'",
        "header = { X-A = 'x' }",
        "not = { from = '*' }",
    ):
        assert not prefilter(rule).refuses(outline, "support", "INBOX", NOW)


def test_nothing_told_nothing_refused(prefilter):
    bare = Outline(7, None, None, None, None)
    for rule in (*FITTING, *OTHER):
        if "folder" not in rule and "account" not in rule:
            assert not prefilter(rule).refuses(bare, "support", "INBOX", NOW), rule


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
            prefilter = Prefilter(lambda condition=condition: [Rule(name="r", when=condition)])
            question = prefilter.question("support", "INBOX")
            if question and refused_by(prefilter, raw, question):
                refused += 1
                assert judge(condition, sight) is Answer.NO, (raw[:300], condition)
    assert refused > 1000


def refused_by(prefilter, raw, question):
    """Also after a closer look, at any mail that has parts."""
    outline = told(raw, question)
    if prefilter.refuses(outline, "support", "INBOX", NOW):
        return True
    if not outline.leaves or not outline.leaves[0].section:
        return False
    closer = tuple(
        Closer(part_of(raw, f"{leaf.section}.MIME"), part_of(raw, leaf.section)[:OUTLINE_SIZE])
        for leaf in outline.leaves
    )
    return prefilter.refuses(replace(outline, closer=closer), "support", "INBOX", NOW)


def told(raw, question):
    """What an honest server says of a mail."""
    fields = part_of(raw, "HEADER") if question.header else b""
    line = b'1 (UID 7 RFC822.SIZE %d INTERNALDATE "21-Nov-2026 10:00:00 +0000"' % len(raw)
    line += b" BODYSTRUCTURE " + body_structure(raw) if question.parts else b""
    if question.header:
        (found,) = outlines([(line + b" BODY[HEADER]<0> {%d}" % len(fields), fields), b")"], {7})
    else:
        (found,) = outlines([line + b")"], {7})
    return found
