"""
The hash of a body under DKIM (RFC 6376 3.4, 3.7), piece by piece: in memory that doesn't grow with the mail, in time
that grows with its size alone, whatever blanks it is made of.
"""

import hashlib
import re
from collections.abc import Iterable

__all__ = ["body_hash"]

_BLANKS = re.compile(rb"[ \t]+")

#: Line ends that are hashed in one go.
_RUN = 10_000


def body_hash(pieces: Iterable[bytes], *, relaxed: bool) -> bytes:
    """SHA-256 of a body in the canonical form "relaxed" or "simple". Bare LF counts as a line end."""
    body = _Canonical(relaxed)
    for piece in pieces:
        body.add(piece)
    return body.digest()


class _Canonical:
    """A body on its way into the hash. Line ends and blanks at the end are held back: they may have to vanish."""

    def __init__(self, relaxed: bool) -> None:
        self._relaxed = relaxed
        self._hash = hashlib.sha256()
        self._empty = True
        self._carried = b""  # a CR that may begin a line end, or blanks that may end a line
        self._lines = 0  # line ends held back

    def add(self, piece: bytes) -> None:
        text = self._carried + piece
        self._carried = b"\r" if text.endswith(b"\r") else b""
        self._put(text.removesuffix(b"\r").replace(b"\r\n", b"\n"))

    def _put(self, text: bytes) -> None:
        if self._relaxed:
            text = _BLANKS.sub(b" ", text).replace(b" \n", b"\n")
            if text.endswith(b" "):
                text, self._carried = text[:-1], b" " + self._carried
        content = text.rstrip(b"\n")
        if content:
            self._end_lines()
            self._hash.update(content.replace(b"\n", b"\r\n"))
            self._empty = False
        self._lines += len(text) - len(content)

    def _end_lines(self) -> None:
        while self._lines:
            now = min(self._lines, _RUN)
            self._hash.update(b"\r\n" * now)
            self._lines -= now

    def digest(self) -> bytes:
        if b"\r" in self._carried:  # a bare CR at the very end is content, as are blanks before it
            self._end_lines()
            self._hash.update(self._carried)
            self._empty = False
        # RFC 6376 3.4.3 and 3.4.4: an empty body is one line end in the simple form, and nothing in the relaxed one.
        if not (self._empty and self._relaxed):
            self._hash.update(b"\r\n")
        return self._hash.digest()
