"""Compression as a real server does it."""

import select
import socket
import struct

import pytest

from tests.system.dovecot import Dovecot
from tests.system.mails import KINDS, mails
from watcher.config.secret import Secret
from watcher.imap.link import Credential, Endpoint, connect

pytestmark = pytest.mark.system

PLUGIN = "protocol imap {\n  mail_plugins = imap_zlib\n}"


@pytest.fixture(scope="module")
def server():
    with Dovecot(settings=PLUGIN) as running:
        running.deliver_many(("alice", "INBOX", one.raw) for one in mails(2 * len(KINDS)))
        yield running


@pytest.fixture
def dial(server):
    links = []

    def make(*, compress):
        there = Endpoint(server.host, server.port, ca_file=server.ca_file, compress=compress)
        links.append(connect(there, Credential("alice", Secret(server.password))))
        links[-1].examine("INBOX")
        return links[-1]

    yield make
    for link in links:
        link.close()


def received(link):
    """Bytes that came over TCP: tcpi_bytes_received of linux/tcp.h."""
    with socket.socket(fileno=link.fileno()) as view:
        told = view.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
        view.detach()
    return struct.unpack_from("Q", told, 128)[0]


def test_every_kind_of_mail_comes_as_without_it_in_fewer_bytes(dial):
    plain, squeezed = dial(compress=False), dial(compress=True)
    uids = plain.search(1)
    before = received(plain), received(squeezed)
    assert [squeezed.whole(uid) for uid in uids] == [plain.whole(uid) for uid in uids]
    cost = [received(link) - start for link, start in zip((plain, squeezed), before, strict=True)]
    print(f"{len(uids)} mails: {cost[0]} bytes, compressed {cost[1]}")  # noqa: T201 for people
    assert cost[1] < cost[0]


def test_news_is_pushed_and_the_goodbye_is_heard(server, dial):
    link = dial(compress=True)
    link.start_idle()
    assert not link.hear()
    server.deliver("alice", b"Subject: news\r\n\r\n")
    while not link.hear():
        assert select.select([link], [], [], 30)[0]
    link.logout()
