"""Header blocks: where they end, and their fields as octets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from watcher.limits import KIB, Limits
from watcher.mail.defects import Defects
from watcher.mail.raw import Raw
from watcher.mail.words import unfolded

__all__ = ["Field", "Header", "read_header"]

#: RFC 5322 2.2, and names that are not ASCII, which some senders write. Blanks before the colon are obsolete syntax.
_NAME = re.compile(rb"([^\s:\x00-\x1f]{1,200})[ \t]*:")

#: After a line that is no field, these show that the header goes on all the same.
_KNOWN = re.compile(
    rb"(?:content-[a-z-]+|mime-version|subject|from|to|cc|date|message-id|received)[ \t]*:", re.IGNORECASE
)

#: Bytes that hold nearly every header block.
_USUAL = 8 * KIB

#: Lines that mbox files and some mailers put above the header.
_ENVELOPE_LINE = re.compile(rb">?From ")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field."""

    name: str  #: as written, not ASCII perhaps
    value: bytes  #: unfolded octets


@dataclass(frozen=True)
class Header:
    """The fields of one header block, in order."""

    fields: tuple[Field, ...] = ()

    @cached_property
    def _values(self) -> dict[str, list[bytes]]:
        """The values by name in lower case: a mail is asked for some thirty names."""
        values: dict[str, list[bytes]] = {}
        for field in self.fields:
            values.setdefault(field.name.lower(), []).append(field.value)
        return values

    def all(self, name: str) -> Iterator[bytes]:
        """The values of all fields called `name` (in lower case)."""
        return iter(self._values.get(name, ()))

    def first(self, name: str) -> bytes | None:
        """The value of the first field called `name`: the one that counts where there are several."""
        return next(self.all(name), None)


def read_header(raw: Raw, start: int, stop: int, limits: Limits, defects: Defects) -> tuple[Header, int]:
    """The header block that begins at `start`, and where the body behind it begins. There may be none."""
    block = raw[start : min(stop, start + _USUAL)]
    if not any(blank in block for blank in _blank_lines(raw)):
        block = raw[start : min(stop, start + limits.header)]
    if start + len(block) < stop:  # what is left of the last line is no field
        block = block[: block.rfind(raw.newline) + 1] or block
    kept, length, ended = _header_lines(block.split(raw.newline), defects)
    if not ended and start + length < stop:
        defects.add(f"header over {limits.header} bytes: its later fields were not read")
        length = _behind_blank_line(raw, start + length - 1, stop) - start
    return Header(tuple(_fields(kept, limits, defects))), min(start + length, stop)


def _header_lines(lines: list[bytes], defects: Defects) -> tuple[list[bytes], int, bool]:
    """The header's lines, one field a line; the length of the block with the blank line; whether its end was seen."""
    fields: list[list[bytes]] = []
    length = 0
    ended = False
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines):
        if not line.strip(b"\r"):
            length += len(line) + 1
            ended = True
            break
        if line[:1] in b" \t":
            if fields:
                fields[-1].append(line)
        elif _NAME.match(line):
            fields.append([line])
        elif number == 0 and _ENVELOPE_LINE.match(line):
            pass
        elif fields and _goes_on(lines, number + 1):
            defects.add("the header has a line that is no field")
        else:
            if fields:
                defects.add("the header ends without a blank line")
            ended = True
            break
        length += len(line) + 1
    return [b"\n".join(field) for field in fields], length, ended


def _goes_on(lines: list[bytes], number: int) -> bool:
    for line in lines[number : number + 50]:
        if not line.strip(b"\r\n"):
            return False
        if _KNOWN.match(line):
            return True
    return False


def _behind_blank_line(raw: Raw, start: int, stop: int) -> int:
    """Offset behind the first blank line."""
    found = ((raw.find(blank, start, stop), len(blank)) for blank in _blank_lines(raw))
    return min((at + length for at, length in found if at >= 0), default=stop)


def _blank_lines(raw: Raw) -> tuple[bytes, bytes]:
    """A blank line with the line end before it, without and with CR."""
    return raw.newline * 2, raw.newline + b"\r" + raw.newline


def _fields(lines: list[bytes], limits: Limits, defects: Defects) -> Iterator[Field]:
    if len(lines) > limits.fields:
        defects.add(f"more than {limits.fields} header fields: the later ones were not read")
    for line in lines[: limits.fields]:
        name, _, value = line.partition(b":")
        if len(value) > limits.field:
            defects.add(f"header field over {limits.field} bytes: cut off")
            value = value[: limits.field]
        if not name.isascii():
            defects.add("the name of a header field is not ASCII")
        yield Field(name.strip().decode("utf-8", "replace"), unfolded(value))
