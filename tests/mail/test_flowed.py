"""Flowed texts: paragraphs find together, quotes and signatures stay apart."""

import pytest

from tests.mail.mails import part, taken_apart
from watcher.mail.flowed import paragraphs


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("one \ntwo \nthree\nfour", "one two three\nfour"),
        ("one\ntwo", "one\ntwo"),
        ("> a \n> b\n>> c \n> d", "> a b\n>> c \n> d"),
        ("text \n> quote", "text \n> quote"),
        (" > no quote\n From here", "> no quote\nFrom here"),
        ("text \n-- \nBob \nShop", "text \n-- \nBob Shop"),
        ("a \n\nb", "a \n\nb"),
        ("last ", "last "),
        ("", ""),
    ],
)
def test_paragraphs(text, joined):
    assert paragraphs(text, delsp=False) == joined


def test_the_blank_may_be_no_part_of_the_text():
    assert paragraphs("日本 \n語\n-- \nx", delsp=True) == "日本語\n-- \nx"


def test_the_reply_is_joined_and_the_text_is_as_sent(tmp_path):
    body = "Yes, \nthat is fine.\n\nOn Mon, 5 Oct 2026 at 10:00, Ann \n<a@b.example> wrote:\n> Is it? \n> Really?\n"
    found = taken_apart(tmp_path, part(body, "Content-Type: text/plain; charset=utf-8; format=flowed"))
    assert found.text == body
    assert found.message.reply == "Yes, that is fine."
