"""File names on disk: safe anywhere, no two alike, always inside."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.mail.names import FileNames


def name(sent: str | None, kind: str = "application/pdf") -> str:
    return FileNames(120).take(sent, kind, 3)


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("a.pdf", "a.pdf"),
        ("Rechnung März.pdf", "Rechnung März.pdf"),
        ("发票.pdf", "发票.pdf"),
        ("Ma\u0308rz.pdf", "März.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\a.exe", "a.exe"),
        ("..", "part-3.pdf"),
        (".", "part-3.pdf"),
        ("...", "part-3.pdf"),
        ("a/", "part-3.pdf"),
        (" \t\n", "part-3.pdf"),
        (None, "part-3.pdf"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("--help.txt", "help.txt"),
        ("~root", "root"),
        ("a.txt. .", "a.txt"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1 .log", "_com1.log"),
        ("console.txt", "console.txt"),
        ("a:stream.txt", "a_stream.txt"),
        ('a"b<c>d|e?f*g.txt', "a_b_c_d_e_f_g.txt"),
        ("a\0b\x07c\nd.txt", "abcd.txt"),
        ("\u202efdp.exe", "fdp.exe"),
        ("a\u2028b\u200bc\ud800.txt", "abc.txt"),
    ],
)
def test_safe_name(sent, safe):
    assert name(sent) == safe


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("image/png", "part-3.png"), ("text/x", "part-3.txt"), ("message/rfc822", "part-3.eml"), ("x/y", "part-3.bin")],
)
def test_name_made_from_the_type(kind, expected):
    assert name(None, kind) == expected


def test_long_names_keep_their_extension():
    assert name("ü" * 4000 + ".pdf").endswith("ü.pdf")
    assert len(name("a." + "x" * 4000).encode()) <= 120


def test_equal_names_are_numbered_whatever_their_case():
    names = FileNames(120)
    taken = [names.take(sent, "a/b", 1) for sent in ("A.txt", "a.TXT", "a.txt", "a-2.txt", "STRASSE", "straße")]
    assert taken == ["A.txt", "a-2.TXT", "a-3.txt", "a-2-2.txt", "STRASSE", "straße-2"]


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=200), max_size=20))
def test_every_name_is_safe_and_its_own(sent):
    names = FileNames(120)
    taken = [names.take(each, "text/plain", number) for number, each in enumerate(sent, start=1)]
    assert len({each.casefold() for each in taken}) == len(taken)
    for each in taken:
        assert each.strip(". ") == each != ""
        assert not set(each) & set('/\\:*?"<>|')
        assert each[0] not in "-~"
        assert len(each.encode()) <= 120
        assert all(unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in each)
