"""Reading from the network: whole, and without a trace in memory."""

import socket
import tracemalloc

import pytest

from watcher.imap.landing import received

LINE = b"* 2 EXISTS\r\n"


def test_a_read_takes_the_memory_of_what_came():
    """Room for all that might come, cut down, tears holes into the heap."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(LINE)
        assert received(ours) == LINE
        theirs.sendall(LINE)
        tracemalloc.start()
        try:
            again = received(ours)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert again == LINE
    assert peak < 2000


def test_bytes_come_in_order_however_many_there_are():
    ours, theirs = socket.socketpair()
    sent = bytes(range(256)) * 256
    with ours:
        with theirs:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * len(sent))
            theirs.sendall(sent)
        came = b""
        while len(came) < len(sent):
            came += received(ours)
        assert came == sent
        with pytest.raises(ConnectionError):
            received(ours)
