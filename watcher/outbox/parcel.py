"""A mail on the disk, as it goes on the wire."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Parcel", "is_ascii", "stuffed"]

BLOCK = 64 << 10  #: bytes that go out at once


@dataclass(frozen=True, slots=True)
class Parcel:
    """One mail for some recipients. Addresses are plain: they have passed `fields.normal`."""

    sender: str  #: envelope sender, "" for the null one
    recipients: tuple[str, ...]
    file: Path  #: with CRLF everywhere
    prefix: bytes = b""  #: fields that go before it

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.prefix) + self.file.stat().st_size


def is_ascii(file: Path) -> tuple[bool, bool]:
    """Whether the header of a mail is ASCII, and whether all of it is."""
    head, at_head, whole = True, True, True
    with file.open("rb") as lines:
        for line in lines:
            at_head = at_head and line != b"\r\n"
            if not line.isascii():
                head, whole = head and not at_head, False
    return head, whole


def stuffed(parcel: Parcel) -> Iterator[bytes]:
    """A mail in blocks, a dot doubled where it begins a line (RFC 5321 4.5.2), and ended by a line end."""
    block, line = bytearray(parcel.prefix), b""
    with parcel.file.open("rb") as lines:
        for line in lines:
            block += b"." + line if line.startswith(b".") else line
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
    yield bytes(block) if line.endswith(b"\r\n") else bytes(block) + b"\r\n"
