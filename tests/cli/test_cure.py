"""What a person is told to do where there is no way to a server."""

import pytest

from watcher.cli.cure import cure
from watcher.config.providers import profile_for
from watcher.errors import Loss, MailboxLost, ServerUntrusted

GONE, SILENT = MailboxLost("can't connect to x:993: Connection refused"), MailboxLost("x: no answer", Loss.SILENT)


@pytest.mark.parametrize(
    ("step", "error", "address", "words"),
    [
        ("dns", SILENT, "me@firm.example", "name servers"),
        ("tcp", GONE, "me@firm.example", "nothing listens there"),
        ("tcp", SILENT, "me@firm.example", "firewall or proxy"),
        ("tcp", GONE, "me@proton.me", "Bridge running on this machine"),
        ("tls", SILENT, "me@proton.me", "nothing comes; see `port` and `tls`"),
        ("greeting", GONE, "me@firm.example", "speaks no IMAP over TLS"),
        ("login", SILENT, "me@firm.example", "fell silent"),
    ],
)
def test_the_cure_goes_by_the_step(step, error, address, words):
    assert words in cure(step, error, profile_for(address))


@pytest.mark.parametrize("error", [ServerUntrusted("set ca_file"), MailboxLost("x: full: wait", Loss.SAID)])
def test_what_tells_its_cure_itself_is_left_alone(error):
    assert cure("tcp", error, profile_for("me@proton.me")) == ""
