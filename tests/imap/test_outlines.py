from datetime import UTC, datetime
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.imap.outlines import Closer, Leaf, Outline, closely, leaves, looked, outlines

DATE = b'INTERNALDATE "17-Jul-1996 02:44:25 -0700"'
INSTANT = datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)

TEXT = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 20 1 NIL NIL NIL NIL)'
HTML = b'("TEXT" "HTML" NIL NIL NIL "7BIT" 30 1 NIL ("inline" NIL) NIL NIL)'
PDF = b'("application" "PDF" ("name" "other.pdf") NIL NIL "base64" 5000 NIL ("attachment" ("filename" "a b.pdf")) NIL)'
FORWARDED = (
    b'("message" "rfc822" NIL NIL NIL "7bit" 99 (NIL "hi" NIL NIL NIL NIL NIL NIL NIL NIL) '
    + TEXT
    + b' 3 NIL ("attachment" ("filename" "mail.eml")) NIL NIL)'
)
REPORT = b'("message" "delivery-status" NIL NIL NIL "7bit" 44 NIL NIL NIL NIL)'


def only(line):
    (outline,) = outlines([line] if isinstance(line, bytes) else line, {7})
    return outline


def structure(body):
    return only(b"1 (UID 7 RFC822.SIZE 6000 " + DATE + b" BODYSTRUCTURE " + body + b")").leaves


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (TEXT, (Leaf("", "text/plain", 20),)),
        (HTML, (Leaf("", "text/html", 30),)),
        (PDF, (Leaf("", "application/pdf", 5000),)),
        (FORWARDED, (Leaf("", "message/rfc822", 99),)),
        (REPORT, (Leaf("", "message/delivery-status", 44),)),
        (
            b"(" + TEXT + PDF + b' "mixed" ("boundary" "x") NIL NIL NIL)',
            (Leaf("1", "text/plain", 20), Leaf("2", "application/pdf", 5000)),
        ),
        (
            b"((" + TEXT + HTML + b' "alternative") ' + FORWARDED + b' "mixed" ("boundary" "x") ("inline" NIL) NIL)',
            (Leaf("1.1", "text/plain", 20), Leaf("1.2", "text/html", 30), Leaf("2", "message/rfc822", 99)),
        ),
        (b'("application" "pdf" NIL NIL NIL NIL 5)', (Leaf("", "application/pdf", 5),)),
        # Nothing that can be relied on.
        (b"NIL", None),
        (b"()", None),
        (b'"text"', None),
        (b'("text" "plain")', None),
        (b'("text" NIL NIL NIL NIL "7bit" 20 1)', None),
        (b'(NIL NIL "mixed")', None),
        (b"(" + TEXT + b")", None),  # a multipart of no kind
        (b"(" + TEXT + b'("text" "plain") "mixed")', None),
        (b"(" * 30 + TEXT + b' "mixed")' * 30, None),
        (b"(" * 5000 + TEXT + b' "mixed")' * 5000, None),
    ],
)
def test_body_structure(body, expected):
    try:
        assert structure(body) == expected
    except ValueError:  # not even the line made sense
        assert expected is None


def test_an_outline():
    fields = b"From: a@b\r\nSubject: x\r\n\r\n"
    line = b"1 (UID 7 RFC822.SIZE 6000 " + DATE + b" BODY[HEADER]<0> {%d}" % len(fields)
    assert only([(line, fields), b" BODYSTRUCTURE " + TEXT + b")"]) == Outline(
        7, 6000, INSTANT, fields, (Leaf("", "text/plain", 20),)
    )


@pytest.mark.parametrize("items", [b"RFC822.SIZE 0", b"RFC822.SIZE NIL", b"FLAGS ()", b'INTERNALDATE "never"'])
def test_what_is_not_told_is_not_known(items):
    assert only(b"1 (UID 7 " + items + b")") == Outline(7, None, None, None, None)


def test_one_answer_that_makes_no_sense_spoils_no_other():
    """QQ's quoting in the midst of 100 mails."""
    lines = [
        b'1 (UID 6 BODYSTRUCTURE ("text" "pl"ain" (NIL)',
        (b"2 (UID 7 RFC822.SIZE 5 BODY[HEADER] {4}", b"\r\n\r\n"),
        b")",
        b"3 (UID 8 BODYSTRUCTURE ((((",
    ]
    assert outlines(lines, {6, 7, 8}) == [Outline(7, 5, None, b"\r\n\r\n", None)]


WHOLE = b"1 (UID 7 RFC822.SIZE 6000 " + DATE + b" BODYSTRUCTURE (" + TEXT + PDF + FORWARDED + b' "mixed" NIL NIL NIL))'


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, len(WHOLE)),
    st.integers(0, 12),
    st.sampled_from([b"", b"(", b")", b'"', b"NIL", b" ", b"\\", b"{3}"]),
)
def test_no_answer_breaks_it(at, length, put):
    for outline in outlines([WHOLE[:at] + put + WHOLE[at + length :]], {7}):
        assert outline.uid == 7


TREES = st.recursive(
    st.none() | st.integers() | st.binary(max_size=5) | st.sampled_from([b"text", b"plain", b"message", b"rfc822"]),
    lambda inner: st.lists(inner, max_size=12).map(tuple),
    max_leaves=40,
)


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_no_structure_breaks_it(tree):
    found = leaves(tree)
    assert found is None or all(isinstance(leaf, Leaf) for leaf in found)


def test_a_closer_look():
    outline = Outline(7, 6000, INSTANT, None, (Leaf("1.1", "text/plain", 5), Leaf("2", "image/png", 9)))
    assert reduce(closely, outline.leaves, "UID") == "UID BODY.PEEK[1.1.MIME] BODY.PEEK[1.1]<0.16384> BODY.PEEK[2.MIME]"
    lines = [
        (b"1 (UID 7 BODY[1.1.MIME] {6}", b"A: b\r\n"),
        (b" BODY[1.1]<0> {5}", b"hello"),
        (b" BODY[2.MIME] {6}", b"C: d\r\n"),
        b")",
    ]
    assert looked(lines, outline).closer == (Closer(b"A: b\r\n", b"hello"), Closer(b"C: d\r\n", None))
    for nothing in ([None], [b"1 (UID 7 BODY[1.1.MIME] NIL)"], [b"1 (UID 8 FLAGS ())"], [b"1 (UID ((("]):
        assert looked(nothing, outline).closer == (Closer(None, None), Closer(None, None))
