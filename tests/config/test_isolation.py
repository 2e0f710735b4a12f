"""How far handlers are kept apart, as the file says it."""

import pytest

from watcher.config.secret import FileSource
from watcher.errors import ConfigError

FULL = """
[watcher]
isolation = "sandbox"
[handler.book]
network = true
readable = ["rates"]
secrets = { token = { file = "token" } }
sha256 = "B5BB9D8014A0F9B1D61E21E796D78DCCDF1352F23CD32812F4850B878AE4944C"
[handler.plain]
isolation = "none"
[handler.own]
isolation = "user"
user = "invoices"
[handler.post]
url = "https://books.example/in"
"""


def test_what_a_handler_does_not_say_the_daemon_s_section_says(file):
    config = file.load(FULL)
    names = ("book", "plain", "own", "post", "without a section")
    assert [config.handler(name).isolation for name in names] == ["sandbox", "none", "user", "sandbox", "sandbox"]
    book = config.handler("book")
    assert book.readable[0].is_absolute()
    assert isinstance(book.secrets["token"], FileSource)
    assert book.sha256 == "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"


def test_without_a_word_nothing_is_kept_apart(file):
    assert file.load("").handler("book").isolation in {None, "none"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('isolation = "jail"', "isolation"),
        ('isolation = "user"', "without the other"),
        ('user = "invoices"', "without the other"),
        ('isolation = "user"\nuser = "x"\nreadable = ["/srv"]', "for a sandbox"),
        ('secrets = { token = "hunter2" }', "stands in the file itself"),
        ('secrets = { "../token" = { file = "x" } }', "is to be a file name"),
        ('sha256 = "1234"', "is not a SHA-256"),
    ],
)
def test_what_can_not_be_meant_is_told(file, text, problem):
    with pytest.raises(ConfigError, match=problem) as refused:
        file.load(f"[handler.book]\n{text}\n")
    assert "hunter2" not in str(refused.value)
