import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.imap.answers import Head, Summary, found, heads, piece, summaries
from watcher.imap.faults import FOREIGN

DATE = b'INTERNALDATE "17-Jul-1996 02:44:25 -0700"'
INSTANT = datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("plain", "extended", "expected"),
    [
        ([b"5 3 9"], [None], [3, 5, 9]),
        ([b""], [None], []),
        ([None], [None], []),  # OK without a word
        ([b"3 ", b"5 3"], [None], [3, 5]),  # two lines
        ([b"2 3"], [None], [3]),  # 3:* holds the last mail, even below
        ([b"3 11"], [None], [3]),
        ([b"3 5 (MODSEQ 917162500)"], [None], [3, 5]),
        ([None], [b'(TAG "A282") UID ALL 4:6,2:3,9'], [3, 4, 5, 6, 9]),
        ([None], [b'(TAG "A282") UID MIN 3 MAX 9 COUNT 2 ALL 9,3'], [3, 9]),
        ([None], [b'(TAG "A282") UID'], []),  # RFC 4731 3.1: no ALL when nothing is found
        ([None], [b"UID ALL 6:4"], [4, 5, 6]),
        ([None], [b"UID ALL 1:4294967295"], [3, 4, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_found(plain, extended, expected):
    assert found(plain, extended, 3, 10) == expected


@pytest.mark.parametrize(
    ("plain", "extended"),
    [
        ([b"3 x"], [None]),
        ([b"3:5"], [None]),
        ([(b"{1}", b"3")], [None]),
        ([b"-3"], [None]),
        ([None], [b'(TAG "A282") ALL 4:6']),  # sequence numbers, not UIDs
        ([None], [b"UID ALL *"]),
        ([None], [b"nonsense"]),
        ([None], [b"UID ALL 1:4294967295"]),  # with no bound on the other side
    ],
)
def test_what_makes_no_sense_is_not_taken_for_nothing(plain, extended):
    with pytest.raises(ValueError, match="SEARCH"):
        found(plain, extended, 1, 4294967295)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(b"1 (UID 7 RFC822.SIZE 20 " + DATE + b" BODY[]<0> {4}", b"From"), b")"], Head(7, INSTANT, 20, b"From")),
        ([b"1 (UID 7 RFC822.SIZE 4 " + DATE + b' BODY[]<0> "Fr\\"m")'], Head(7, INSTANT, 4, b'Fr"m')),
        ([b"1 (uid 7 rfc822.size 4 " + DATE.lower() + b' body[]<0> "From")'], Head(7, INSTANT, 4, b"From")),
        ([b"1 (UID 7 RFC822.SIZE 3 " + DATE + b" BODY[]<0> 123)"], Head(7, INSTANT, 3, b"123")),
        ([b"1 (UID 7 RFC822.SIZE 20 " + DATE + b")"], Head(7, INSTANT, 20, None)),
        ([b"1 (UID 7 RFC822.SIZE 20 " + DATE + b" BODY[]<0> NIL)"], Head(7, INSTANT, 20, None)),
        ([b"1 (UID 7 RFC822.SIZE 20 INTERNALDATE NIL" + b' BODY[]<0> "")'], Head(7, None, 20, None)),
        ([b"1 (UID 7 RFC822.SIZE 0 " + DATE + b' BODY[]<0> "")'], Head(7, INSTANT, 0, b"")),
        ([b"1 (UID 7 RFC822.SIZE 4 " + DATE + b' BODY[] "From")'], Head(7, INSTANT, 4, b"From")),
        ([b"1 (UID 7 RFC822.SIZE 20 " + DATE + b' BODY[] "From beyond")'], Head(7, INSTANT, 20, b"From beyon")),
        ([b"1 (UID 7 RFC822.SIZE 20 " + DATE + b' BODY[]<5> "From")'], Head(7, INSTANT, 20, None)),  # another part
        ([b'1 (UID 7 RFC822.SIZE 4 INTERNALDATE "yesterday" BODY[]<0> "From")'], Head(7, None, 4, b"From")),
        ([b'1 (UID 7 RFC822.SIZE 4 INTERNALDATE 5 BODY[]<0> "From")'], Head(7, None, 4, b"From")),
        ([b'1 (UID 7 BODY[]<0> "From")'], Head(7, None, 0, None)),  # can't be told whole from cut
        (
            [b"1 (UID 7 RFC822.SIZE 4 " + DATE + b")", b'1 (UID 7 BODY[]<0> "From")', b"1 (UID 7 FLAGS ())"],
            Head(7, INSTANT, 4, b"From"),
        ),
        ([b'3 (UID 7 RFC822.SIZE 4 BODY[]<0> "From")', b"3 (UID 7 BODY[]<0> NIL)"], Head(7, None, 4, b"From")),
    ],
)
def test_head(lines, expected):
    assert heads(lines, {7}, 10) == [expected]


@pytest.mark.parametrize(
    "lines",
    [
        [None],
        [b"7 (FLAGS (\\Seen))"],  # our UID as a sequence number
        [b'7 (RFC822.SIZE 4 BODY[]<0> "From")'],  # no UID: whose is it?
        [b'1 (UID 8 RFC822.SIZE 4 BODY[]<0> "From")'],  # not asked for
        [b"1 ()"],
        [b'1 (UID x RFC822.SIZE 4 BODY[]<0> "From")'],
    ],
)
def test_lines_that_are_about_something_else(lines):
    assert heads(lines, {7}, 10) == []


@pytest.mark.parametrize(
    "lines", [[b"1 UID 7"], [b"1 (UID)"], [b"1 (UID 7"], [b'1 (UID 7 X ")'], [b"1 " + b"(" * 50_000], [b"1 ({5})"]]
)
def test_broken_lines_are_an_error(lines):
    with pytest.raises(FOREIGN):
        heads(lines, {7}, 10)


def test_summaries():
    key = b"BODY[HEADER.FIELDS (MESSAGE-ID)] "
    lines = [
        (b"1 (UID 7 RFC822.SIZE 20 " + DATE + b" " + key + b"{27}", b"Message-ID:\r\n <a@b>  \r\n\r\n"),
        b")",
        (b"2 (UID 8 RFC822.SIZE 20 " + DATE + b" " + key + b"{2}", b"\r\n"),
        b")",
        b"3 (UID 9 RFC822.SIZE 20 INTERNALDATE NIL " + key + b'"")',
    ]
    lines[0] = (lines[0][0].replace(b"{27}", b"{%d}" % len(lines[0][1])), lines[0][1])
    assert summaries(lines, {7, 8, 9}) == [Summary(7, 20, INSTANT, "<a@b>"), Summary(8, 20, INSTANT, "")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'1 (UID 7 BODY[]<4> "beyond")', b"bey"),
        (b'1 (UID 7 BODY[]<4> "")', b""),
        (b"1 (UID 7 BODY[]<4> NIL)", None),
        (b"1 (UID 7)", None),
        (b'1 (UID 7 BODY[] "From beyond")', b" be"),  # sends all
    ],
)
def test_piece(line, expected):
    assert piece([line], 7, 4, 3) == expected


line = st.binary(max_size=40) | st.sampled_from(
    [b"1 (UID 7 ", b"BODY[]<0> ", b"NIL", b")", b"(", b'"', b"{3}", b"[", b"\\"]
)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.lists(line, max_size=8).map(b"".join) | st.tuples(line.map(lambda text: text + b"{3}"), st.just(b"abc"))
    )
)
def test_no_answer_raises_what_we_do_not_translate(lines):
    for read in (lambda: heads(lines, {7}, 10), lambda: found(lines, [None], 1, 9), lambda: found([None], lines, 1, 9)):
        with contextlib.suppress(FOREIGN):
            read()
