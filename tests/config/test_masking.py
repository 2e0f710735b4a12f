"""Secrets in whatever text: hidden as long as anybody holds them."""

import base64
import gc

import pytest

from watcher.config.masking import mask
from watcher.config.secret import Secret

WORD = "correct horse 7!"


@pytest.mark.parametrize(
    "text",
    [
        WORD,
        f"before {WORD} and after",
        f"AUTHENTICATE PLAIN {base64.b64encode(f'{chr(0)}ann{chr(0)}{WORD}'.encode()).decode()}",
        f"AUTHENTICATE PLAIN {base64.b64encode(f'{chr(0)}anna{chr(0)}{WORD}'.encode()).decode()}",
        f"AUTHENTICATE PLAIN {base64.b64encode(f'{chr(0)}annaa{chr(0)}{WORD}'.encode()).decode()}",
        base64.b64encode(WORD.encode()).decode(),
    ],
)
def test_no_form_of_a_secret_comes_through(text):
    secret = Secret(WORD)
    shown = mask(text)
    assert WORD not in shown
    assert "***" in shown
    assert base64.b64encode(WORD.encode())[4:-4].decode() not in shown
    del secret


def test_it_is_forgotten_with_its_last_holder():
    first, second = Secret("only here 1"), Secret("only here 1")
    assert mask("x only here 1 x") == "x *** x"
    del first
    gc.collect()
    assert mask("x only here 1 x") == "x *** x"
    del second
    gc.collect()
    assert mask("x only here 1 x") == "x only here 1 x"


def test_secrets_that_begin_alike_are_each_hidden():
    secrets = [Secret("token-aaaa"), Secret("token-bbbb"), Secret("token-aaaa-and-more")]
    assert mask("token-aaaa token-bbbb token-aaaa-and-more token-cccc") == "*** *** *** token-cccc"
    del secrets[0]
    gc.collect()
    assert mask("token-bbbb token-aaaa-and-more") == "*** ***"


def test_one_that_is_too_short_would_hide_half_of_all_words():
    secret = Secret("abc")
    assert mask("abc of abcdef") == "abc of abcdef"
    del secret
