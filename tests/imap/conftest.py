"""A scripted server and links to it."""

import select
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.imap_server import ImapServer
from watcher.config.secret import Secret
from watcher.imap.link import Credential, Endpoint, Link, connect

Dial = Callable[..., Link]

ME = Credential("me", Secret("secret"))


def endpoint(server: ImapServer, **changes) -> Endpoint:
    return Endpoint(**{"host": server.host, "port": server.port, "ca_file": server.ca_file} | changes)


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer() as running:
        yield running


@pytest.fixture
def dial(server: ImapServer) -> Iterator[Dial]:
    """Makes links to `server` that are closed in the end."""
    links: list[Link] = []

    def make(*, timeout: float = 10) -> Link:
        links.append(connect(endpoint(server), ME, timeout=timeout))
        return links[-1]

    yield make
    for link in links:
        link.close()


@pytest.fixture
def link(dial: Dial) -> Link:
    """A link with INBOX open for reading."""
    made = dial()
    made.examine("INBOX")
    return made


def readable(link: Link, seconds: float = 10) -> None:
    assert select.select([link], [], [], seconds)[0], "nothing came"


def heard(link: Link) -> bool:
    """What the next bytes from the server are: news or not."""
    readable(link)
    return link.hear()


def leave_idle(link: Link) -> None:
    link.end_idle()
    deadline = time.monotonic() + 10
    while not link.idle_ended():
        readable(link)
        assert time.monotonic() < deadline
