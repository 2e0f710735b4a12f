"""Text of strangers: what prints stands as it is, nothing of the rest steers a terminal or forges a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.printing import lines, one_line, printable

#: What comes, and what is shown of it: character by character, as one line, as a text.
SHOWN = [
    ("Größe 日本", "Größe 日本", "Größe 日本", "Größe 日本"),
    (b"Gr\xc3\xb6\xc3", "Grö\\xc3", "Grö\\xc3", "Grö\\xc3"),
    ("a\r\nb\tc\n", "a\\r\\nb\\tc\\n", "a b c", "a\\r\nb\tc\n"),
    (b"\x1b[0m\0", "\\x1b[0m\\x00", "\\x1b[0m\\x00", "\\x1b[0m\\x00"),
    ("\u202e\u2028\x85", "\\u202e\\u2028\\x85", "\\u202e", "\\u202e\\u2028\\x85"),
    ("3\u00a0€ \u3000 2", "3\\xa0€ \\u3000 2", "3 € 2", "3\u00a0€ \u3000 2"),
    ("\ud800 \U000e0041", "\\ud800 \\U000e0041", "\\ud800 \\U000e0041", "\\ud800 \\U000e0041"),
    ("", "", "", ""),
]


@pytest.mark.parametrize(("text", "each", "line", "whole"), SHOWN)
def test_what_does_not_print_is_shown_as_written(text, each, line, whole):
    assert (printable(text), one_line(text), lines(text)) == (each, line, whole)


@pytest.mark.parametrize("text", ["\x1b" * 1000, b"\x1b" * 1000, b"\xff" * 1000, "x" * 1000])
def test_one_line_is_bounded(text):
    assert len(printable(text)) == len(one_line(text)) == 200
    assert len(printable(text, 30)) == len(one_line(text, 30)) == 30
    assert one_line(text).endswith("…")


@given(st.text() | st.binary())
def test_whatever_comes_can_be_shown(text):
    assert printable(text).isprintable()
    assert one_line(text).isprintable()
    assert all(
        line.isprintable()
        for line in lines(text).translate(dict.fromkeys(map(ord, "\t\u00a0\u202f\u3000"))).split("\n")
    )
