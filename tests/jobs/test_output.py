"""Output: bounded, and safe to show."""

from hypothesis import given
from hypothesis import strategies as st

from watcher.jobs.output import KEPT, Capture


def captured(*pieces):
    capture = Capture()
    for piece in pieces:
        capture.add(piece)
    return capture


def test_little_output_is_kept_whole():
    assert captured(b"one\n", b"two\n").text() == "one\ntwo\n"


def test_of_much_output_both_ends_are_kept():
    capture = captured(b"a" * KEPT, b"-" * 100_000, b"z" * KEPT)
    assert capture.total == 2 * KEPT + 100_000
    assert capture.text() == "a" * KEPT + "\n[100000 bytes left out]\n" + "z" * KEPT


@given(st.lists(st.binary(max_size=40_000), max_size=8))
def test_it_does_not_matter_in_which_pieces_it_comes(pieces):
    assert captured(*pieces).text() == captured(b"".join(pieces)).text()


def test_what_could_deceive_is_shown_as_written():
    shown = captured(b"\x1b[2J\x00\r\xff\tok\xe2\x80\xae\xc2\x85\n").text()
    assert shown == "\\x1b[2J\\x00\\r\\xff\tok\\u202e\\x85\n"
