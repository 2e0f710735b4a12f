"""
Where bytes land as they come from the network: one place for each thread.

A new one for each read, cut down to the few bytes that came, would leave a hole in the heap between what links keep,
into which none of the next fits: 8 kB for each idle link.
"""

import socket
import threading

__all__ = ["received"]

#: No TLS record has more (RFC 8446 5.1), and no read brings two.
_RECORD = 16 << 10


class _Landing(threading.local):
    def __init__(self) -> None:
        self.place = memoryview(bytearray(_RECORD))


_LANDING = _Landing()


def received(sock: socket.socket) -> bytes:
    """Some of what has come, or comes before the socket's timeout. OSError when there is nothing, or never will be."""
    size = sock.recv_into(_LANDING.place)
    if not size:
        raise ConnectionError("the server closed the connection")
    return bytes(_LANDING.place[:size])
