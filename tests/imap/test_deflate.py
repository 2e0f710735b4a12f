"""Compression on the wire: the same bytes, however they are cut, and no more of them than anywhere else."""

import contextlib
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.deflate import compressing
from tests.imap.conftest import ME, endpoint, heard, leave_idle
from watcher.errors import MailboxLost
from watcher.imap.deflate import CHUNK, Deflate
from watcher.imap.link import connect
from watcher.imap.wire import ANSWER


@pytest.fixture
def squeezed(server):
    """Makes a link that compresses, closed in the end."""
    links = []

    def make(*answers, timeout=10):
        server.capabilities += " COMPRESS=DEFLATE"
        server.on("COMPRESS", *answers)
        links.append(connect(endpoint(server, compress=True), ME, timeout=timeout))
        links[-1].examine("INBOX")
        return links[-1]

    yield make
    for link in links:
        link.close()


def test_every_verb_as_without_it(server, squeezed):
    mail = b"Subject: one\r\n\r\n" + b"all of it\r\n" * 50_000
    uid = server.deliver(mail)
    link = squeezed(compressing())
    assert link.search(1) == [uid]
    assert link.whole(uid) == mail
    link.start_idle()
    server.deliver(b"Subject: two\r\n\r\n")
    assert heard(link)
    leave_idle(link)
    assert link.search(1) == [uid, uid + 1]
    link.logout()
    assert server.count("LOGOUT") == 1


def test_cut_into_single_bytes(server, squeezed):
    mail = b"Subject: one\r\n\r\n" + bytes(32 + n % 90 for n in range(3000)) + b"\r\n"
    uid = server.deliver(mail)
    link = squeezed(compressing(piece=1))
    assert link.whole(uid) == mail
    link.start_idle()
    server.deliver(b"Subject: two\r\n\r\n")
    while not heard(link):
        pass
    leave_idle(link)


def test_what_comes_in_one_breath_with_the_answer_is_compressed_already(server, squeezed):
    link = squeezed(compressing(first=b"* OK [ALERT] soon\r\n"))
    assert link.alerts() == ("soon",)


@pytest.mark.parametrize(
    "answer", [b"{tag} NO [COMPRESSIONACTIVE] no\r\n", b"{tag} NO not now\r\n", b"{tag} BAD what?\r\n"]
)
def test_refused_it_goes_on_without(server, squeezed, answer):
    uid = server.deliver(b"Subject: one\r\n\r\n")
    assert squeezed(answer).search(1) == [uid]


def test_it_is_not_asked_for_where_it_is_not_offered_or_not_wanted(server):
    server.capabilities += " COMPRESS=DEFLATE"
    connect(endpoint(server), ME).close()
    server.capabilities = "IMAP4rev1 AUTH=PLAIN"
    connect(endpoint(server, compress=True), ME).close()
    assert server.count("COMPRESS") == 0


async def bomb(session, _command):
    """A hundred megabytes in a hundred kilobytes."""
    packer = zlib.compressobj(wbits=-15)
    session.writer.write_raw(b"".join(packer.compress(b"* OK " + b"x" * (1 << 20) + b"\r\n") for _ in range(100)))


async def emptiness(session, _command):
    """Blocks without content, for ever."""
    while True:
        session.writer.write_raw(b"\0\0\0\xff\xff" * 3000)
        await session.flush()


async def nonsense(session, _command):
    session.writer.write_raw(b"\xff\xff\xff\xff")


async def ending(session, _command):
    """The stream of zlib ends; IMAP knows no such end."""
    session.writer.write_raw(session.writer.packer.flush(zlib.Z_FINISH) + b"more")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (bomb, "no end"),
        (emptiness, "no end|no answer in time"),
        (nonsense, "not compressed as agreed"),
        (ending, "closed the connection"),
    ],
)
def test_what_a_server_may_do_to_us_is_bounded(server, squeezed, answer, words):
    link = squeezed(compressing(), timeout=3)
    server.on("NOOP", answer)
    tracemalloc.start()
    try:
        with pytest.raises(MailboxLost, match=words):
            link.noop()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * ANSWER


@given(st.lists(st.binary(max_size=300).map(lambda seed: seed * 400)), st.integers(1, 70_000))
def test_the_same_bytes_however_they_are_cut(said, piece):
    packer = zlib.compressobj(wbits=-15)
    packed = b"".join(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH) for data in said)
    pieces = [packed[start : start + piece] for start in range(0, len(packed), piece)]

    def receive():
        if not pieces:
            raise BlockingIOError
        return pieces.pop(0)

    deflate, came = Deflate(b""), []
    with contextlib.suppress(BlockingIOError):
        while True:
            came.append(deflate.unpack(receive))
    assert b"".join(came) == b"".join(said), "nothing is held back where the selector can't see it"
    assert all(len(data) <= CHUNK for data in came)


def test_what_we_say_is_understood_at_once():
    deflate, unpacker = Deflate(b""), zlib.decompressobj(-15)
    for line in (b"W1 NOOP\r\n", b"W2 UID FETCH 1:3 (FLAGS)\r\n", b"DONE\r\n"):
        assert unpacker.decompress(deflate.pack(line)) == line
