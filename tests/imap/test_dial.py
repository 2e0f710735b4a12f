"""Connecting takes its time and no more, whatever an address, a name server or a proxy does."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.imap.conftest import ME, endpoint
from watcher.errors import Loss, MailboxLost
from watcher.imap.dial import ONE_OF_SEVERAL
from watcher.imap.link import connect
from watcher.imap.names import AddressInfo, addresses, alternating

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """An address that never answers: the queue of a listener that nobody empties is full, so SYNs are dropped."""
    with socket.socket() as listener, contextlib.ExitStack() as callers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), 0.5)
        yield listener.getsockname()


@pytest.fixture
def names(monkeypatch):
    """Names of a test, each with its addresses in order; or what happens when it is asked for."""
    known = {}
    real = socket.getaddrinfo

    def look_up(host, port, *rest, flags=0, **named):
        if host not in known or flags & socket.AI_NUMERICHOST:
            return real(host, port, *rest, flags=flags, **named)
        if callable(known[host]):
            return known[host]()
        return [(V4, socket.SOCK_STREAM, 6, "", address) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def test_a_dead_address_costs_its_share_and_no_more(server, names, black_hole):
    """It could take up all the time there is, and nothing would be left for the one that lives."""
    names["localhost"] = [black_hole, (server.host, server.port)]
    connect(endpoint(server, host="localhost"), ME, timeout=4 * ONE_OF_SEVERAL).close()


def test_the_last_address_has_all_that_is_left(names, black_hole, server):
    names["localhost"] = [black_hole]
    began = time.monotonic()
    with pytest.raises(MailboxLost, match="timed out"):
        connect(endpoint(server, host="localhost"), ME, timeout=2 * ONE_OF_SEVERAL)
    assert time.monotonic() - began >= 2 * ONE_OF_SEVERAL


def test_many_links_that_begin_together_ask_once(names, server, monkeypatch):
    asked = []
    names["mail.test"] = lambda: asked.append(1) or [(V4, socket.SOCK_STREAM, 6, "", (server.host, server.port))]
    for _ in range(3):
        addresses("mail.test", server.port, time.monotonic() + 60)
    assert len(asked) == 1
    monkeypatch.setattr("watcher.imap.names.FRESH", 0.0)
    addresses("mail.test", server.port, time.monotonic() + 60)
    assert len(asked) == 2


def test_a_name_server_that_is_silent_keeps_nobody(names, server):
    asked, told = threading.Event(), threading.Event()

    def silent():
        asked.set()
        told.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    names["mail.test"] = silent
    with pytest.raises(MailboxLost, match="no answer from DNS") as lost:
        connect(endpoint(server, host="mail.test"), ME, timeout=0.3)
    assert lost.value.how is Loss.SILENT
    assert asked.is_set()
    told.set()
    for thread in threading.enumerate():
        if thread.name == "names mail.test":
            thread.join()


FAMILIES = [
    ([V4], [0]),
    ([V6, V6, V4, V4], [0, 2, 1, 3]),
    ([V6, V6, V6, V4], [0, 3, 1, 2]),
    ([V4, V6, V6], [0, 1, 2]),
]


@pytest.mark.parametrize(("families", "order"), FAMILIES)
def test_families_take_turns(families, order):
    found = [AddressInfo(family, 1, 6, "", (n,)) for n, family in enumerate(families)]
    assert [one.address[0] for one in alternating(found)] == order
