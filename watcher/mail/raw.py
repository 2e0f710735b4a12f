"""The bytes of a mail, searched and sliced without holding them in memory."""

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Self

from watcher.limits import MIB

__all__ = ["SLICE", "Raw"]

#: Bytes that are looked at in one go.
SLICE = MIB // 4

#: Bytes that are searched first, as most parts are small; then four times as many, and so on up to SLICE.
_NEAR = 4096

#: A mail up to this size is simply read; mapping pays only above it.
_READ_WHOLE = MIB

#: Bytes touched in a mapping before its pages are given back, so that they never add up in the memory of the process.
_RELEASE_AFTER = 4 * MIB

#: Where the kind of line end is looked for.
_FIRST_LINES = 64 * 1024


class Raw:
    """Immutable bytes with offsets. Small ones lie in memory; large ones are mapped, their pages given back in time."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._mapping = data if isinstance(data, mmap.mmap) else None
        self._touched = 0
        self.size = len(data)
        #: What ends a line: LF (with or without CR before it), or CR in a mail that has no LF.
        self.newline = b"\n" if b"\n" in data[:_FIRST_LINES] or b"\r" not in data[:_FIRST_LINES] else b"\r"

    @classmethod
    def of_file(cls, descriptor: int) -> Self:
        """The content of an open file, which nobody may change meanwhile."""
        size = os.fstat(descriptor).st_size
        if size > _READ_WHOLE:
            return cls(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ))
        data = b""
        while len(data) < size and (piece := os.read(descriptor, size)):
            data += piece
        return cls(data)

    @classmethod
    def of_pieces(cls, pieces: Iterable[bytes], size: int) -> Self:
        """What `pieces` give together, `size` bytes at most: in memory if small, else in an unnamed file."""
        if size <= _READ_WHOLE:
            return cls(b"".join(pieces))
        with tempfile.TemporaryFile() as file:
            file.writelines(pieces)
            file.flush()
            return cls.of_file(file.fileno())

    def __getitem__(self, part: slice) -> bytes:
        found = self._data[part]
        self._account(len(found))
        return found

    def find(self, needle: bytes, start: int, stop: int) -> int:
        """Offset of the first `needle` that lies whole in [start, stop), or -1."""
        size = _NEAR
        while start < stop:
            edge = min(stop, start + size)
            piece = self[start : min(stop, edge + len(needle) - 1)]
            # One letter is found thirty times as fast as a word, and base64, most of a large mail, has no dash at all.
            begun = piece.find(needle[:1])
            at = piece.find(needle, begun) if begun >= 0 else -1
            if at >= 0:
                return start + at
            start, size = edge, min(SLICE, 4 * size)
        return -1

    def next_line(self, start: int, stop: int) -> int:
        """Offset behind the line end that follows `start`, or `stop`."""
        at = self.find(self.newline, start, stop)
        return stop if at < 0 else at + 1

    def slices(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of [start, stop) in pieces of at most SLICE."""
        for at in range(start, stop, SLICE):
            yield self[at : min(stop, at + SLICE)]

    def close(self) -> None:
        """Give the mapping back; nothing of it may be used afterwards."""
        if self._mapping is not None:
            self._mapping.close()

    def _account(self, touched: int) -> None:
        self._touched += touched
        if self._mapping is not None and self._touched > _RELEASE_AFTER:
            self._mapping.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
