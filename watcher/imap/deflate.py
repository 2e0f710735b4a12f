"""Both sides compress what they say (RFC 4978)."""

import zlib
from collections.abc import Callable

__all__ = ["Deflate"]

#: Bytes that are handed out at once, however few they were on the way.
CHUNK = 64 << 10

#: What we say is short and hardly like what we said before, so a small window will do: 8 kB, where zlib's own takes 95.
_LEVEL, _WINDOW, _MEMORY = 1, -9, 1


class Deflate:
    """The compression of one connection, from the answer to COMPRESS on. 49 kB once both sides have said much."""

    __slots__ = ("_full", "_packer", "_tail", "_unpacker")

    def __init__(self, tail: bytes) -> None:
        """`tail`: what has come behind that answer, and is compressed already."""
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY)
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        self._tail = tail
        self._full = False  # zlib may hold back more of what it has taken in

    def pack(self, data: bytes) -> bytes:
        """`data` for the way, to be understood without waiting for more."""
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def unpack(self, receive: Callable[[], bytes]) -> bytes:
        """
        Some of what the server says, CHUNK at most, perhaps nothing yet. Only when all that has come is handed out is
        `receive` asked for more, once, and what it raises goes through: a selector sees nothing of what is in here, so
        call this until `receive` has no more.

        Raises ConnectionError at the end, ValueError for what is not compressed like this.
        """
        if not self._tail and not self._full:
            if self._unpacker.eof:
                raise ConnectionError("the server closed the connection")
            self._tail = receive()
        try:
            data = self._unpacker.decompress(self._tail, CHUNK)
        except zlib.error as error:
            raise ValueError(f"it is not compressed as agreed: {error}") from error
        self._tail, self._full = self._unpacker.unconsumed_tail, len(data) == CHUNK
        return data
