from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.imap.outlines import Leaf, Outline, leaves, outlines

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

PLAIN = Leaf("text/plain", "", False, 20)


def only(line):
    (outline,) = outlines([line] if isinstance(line, bytes) else line, {7})
    return outline


def structure(body):
    return only(b"1 (UID 7 RFC822.SIZE 6000 " + DATE + b" BODYSTRUCTURE " + body + b")").leaves


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (TEXT, (PLAIN,)),
        (HTML, (Leaf("text/html", "", False, 30),)),
        (PDF, (Leaf("application/pdf", "a b.pdf", True, 5000),)),
        (FORWARDED, (Leaf("message/rfc822", "mail.eml", True, 99),)),
        (REPORT, (Leaf("message/delivery-status", "", False, 44),)),
        (
            b"(" + TEXT + PDF + b' "mixed" ("boundary" "x") NIL NIL NIL)',
            (PLAIN, Leaf("application/pdf", "a b.pdf", True, 5000)),
        ),
        (
            b"((" + TEXT + HTML + b' "alternative") ' + PDF + b' "mixed" ("boundary" "x") ("inline" NIL) NIL)',
            (PLAIN, Leaf("text/html", "", False, 30), Leaf("application/pdf", "a b.pdf", True, 5000)),
        ),
        # Only the plain form is told, without disposition: nobody knows the name.
        (b'("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 5)', (Leaf("application/pdf", None, None, 5),)),
        # RFC 2231 in whatever form; encoded words; backslashes; a name that was cut at its blank.
        *(
            (
                b'("application" "pdf" NIL NIL NIL "base64" 5 NIL ("attachment" (%s)) NIL)' % parameters,
                (Leaf("application/pdf", None, True, 5),),
            )
            for parameters in (
                b'"filename*" "utf-8\'\'%e4.pdf"',
                b'"filename*0" "a" "filename*1" ".pdf"',
                b'"filename" "=?utf-8?q?a?=.pdf"',
                b'"filename" "C:\\\\a.pdf"',
                b'"filename" "my"',
                b'"filename" "v1.2"',
                b'"filename" "\xe4.pdf"',
            )
        ),
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
    line = b"1 (UID 7 RFC822.SIZE 6000 " + DATE + b' BODY[HEADER.FIELDS ("FROM" "SUBJECT")] {%d}' % len(fields)
    assert only([(line, fields), b" BODYSTRUCTURE " + TEXT + b")"]) == Outline(7, 6000, INSTANT, fields, (PLAIN,))


@pytest.mark.parametrize("items", [b"RFC822.SIZE 0", b"RFC822.SIZE NIL", b"FLAGS ()", b'INTERNALDATE "never"'])
def test_what_is_not_told_is_not_known(items):
    assert only(b"1 (UID 7 " + items + b")") == Outline(7, None, None, None, None)


def test_one_answer_that_makes_no_sense_spoils_no_other():
    """QQ's quoting in the midst of 100 mails."""
    lines = [
        b'1 (UID 6 BODYSTRUCTURE ("text" "pl"ain" (NIL)',
        (b"2 (UID 7 RFC822.SIZE 5 BODY[HEADER.FIELDS (FROM)] {4}", b"\r\n\r\n"),
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
