"""One plain address or a refusal, also where what handlers see would agree with the forger."""

import pytest

from tests.mail.trust.test_spoofs import SENDERS
from watcher.limits import USUAL
from watcher.mail.defects import Defects
from watcher.mail.header import Header, read_header
from watcher.mail.raw import Raw
from watcher.mail.trust.results import Unclear
from watcher.mail.trust.sender import sender_of
from watcher.model import Address

#: Plain addresses of domains that are not the victim's: the verdict is about these.
PLAIN = {"a subdomain that is not there", "a domain that begins alike"}


def header_of(text: str) -> Header:
    raw = Raw(text.encode() + b"\r\nTo: us@us.example\r\n\r\n")
    return read_header(raw, 0, raw.size, USUAL, Defects(50))[0]


@pytest.mark.parametrize("sender", [text for name, text in SENDERS.items() if name not in PLAIN])
@pytest.mark.parametrize(
    "seen", ["ceo@bank.example", "x@evil.example", "=?utf-8?B?Y2VvQGJhbmsuZXhhbXBsZQ==?=@evil.example"]
)
def test_nothing_else_helps_an_odd_sender(sender, seen):
    with pytest.raises(Unclear):
        sender_of(header_of(sender), (Address("", seen),))


@pytest.mark.parametrize(
    "shown",
    [(), (Address("", "x@evil.example"),), (Address("", "ceo@bank.example"), Address("", "ceo@bank.example"))],
)
def test_what_handlers_see_must_be_that_address(shown):
    header = header_of("From: CEO <ceo@bank.example>")
    assert sender_of(header, (Address("CEO", "CEO@bank.example"),)) == "bank.example"
    with pytest.raises(Unclear):
        sender_of(header, shown)


def test_a_very_long_sender_is_refused_at_once():
    for text in ("<" * 60_000, '"' * 60_000, " (" * 30_000, "a " * 30_000 + "(x)"):
        with pytest.raises(Unclear):
            sender_of(header_of("From: " + text), (Address("", "ceo@bank.example"),))
