"""Lists of MAPI properties as a winmail.dat holds them (MS-OXTNEF 2.1.3.1.1), by where their values lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from watcher.mail.raw import Raw

__all__ = ["STRING", "UNICODE", "Damaged", "Property", "Reader", "properties"]

#: Kinds of text: octets of the code page, and UTF-16.
STRING, UNICODE = 0x1E, 0x1F

#: Bytes of a value, by kind; and the kinds whose values name their length.
_FIXED = {2: 2, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 2, 0x14: 8, 0x40: 8, 0x48: 16}
_SIZED = frozenset({0, 0xD, STRING, UNICODE, 0x102})

#: Marks a property that may have several values.
_MANY = 0x1000

#: Properties from this name on have a name of their own.
_NAMED = 0x8000


class Damaged(Exception):
    """A number in the file can't be right."""


class Reader:
    """Numbers and spans of a file, one after another, within bounds."""

    def __init__(self, raw: Raw, span: tuple[int, int], budget: Iterator[object]) -> None:
        """`budget` is used up by what is read, by all readers of a file together."""
        self._raw = raw
        self._at, self._stop = span
        self._budget = budget

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return self._stop - self._at

    def within(self, span: tuple[int, int]) -> Self:
        """A reader of a part of the file."""
        return type(self)(self._raw, span, self._budget)

    def rows(self, count: int) -> Iterator[int]:
        """Counts what is read. Raises Damaged where the budget ends."""
        for number in range(count):
            if next(self._budget, None) is None:
                raise Damaged
            yield number

    def number(self, size: int) -> int:
        """The next `size` bytes. Raises Damaged if there are fewer."""
        start, stop = self.span(size)
        return int.from_bytes(self._raw[start:stop], "little")

    def span(self, size: int) -> tuple[int, int]:
        """Where the next `size` bytes lie. Raises Damaged if there are fewer."""
        if size > self.left:
            raise Damaged
        self._at += size
        return self._at - size, self._at

    def padded(self, size: int) -> tuple[int, int]:
        """As `span`, for a value that is filled up to four bytes."""
        found = self.span(size)
        self._at = min(self._stop, self._at + -size % 4)
        return found


@dataclass(frozen=True, slots=True)
class Property:
    """One property with its first value."""

    name: int
    kind: int
    span: tuple[int, int]


def properties(reader: Reader) -> Iterator[Property]:
    """The properties of a list. Raises Damaged."""
    for _ in reader.rows(reader.number(4)):
        if not reader.left:
            return
        kind, name = reader.number(2), reader.number(2)
        if name >= _NAMED:
            _skip_name(reader)
        spans = list(_values(reader, kind & ~_MANY, many=bool(kind & _MANY)))
        if spans:
            yield Property(name, kind & ~_MANY, spans[0])


def _skip_name(reader: Reader) -> None:
    """A set, and in it a number or a word in UTF-16."""
    reader.span(16)
    by_word = reader.number(4)
    size = reader.number(4)
    if by_word:
        reader.padded(size)


def _values(reader: Reader, kind: int, *, many: bool) -> Iterator[tuple[int, int]]:
    if kind in _FIXED:
        count = reader.number(4) if many else 1
        yield reader.padded(_FIXED[kind] * count)
        return
    if kind not in _SIZED:
        raise Damaged
    for _ in reader.rows(reader.number(4)):
        yield reader.padded(reader.number(4))
