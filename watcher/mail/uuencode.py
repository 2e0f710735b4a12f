"""Files that stand uuencoded within a text, as mailers sent them before MIME (and some still do)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from watcher.mail.raw import Raw
from watcher.mail.words import words_decoded

__all__ = ["Span", "files_within"]

_BEGIN = re.compile(rb"begin [0-7]{3,4} +([^\r\n]{1,250}?)[ \t]*(?:\r*\n|\r)")
_END = re.compile(rb"end[ \t]*(?:\r*\n|\r|\Z)")

#: Bytes that are looked at behind a place that may begin a file. A line of uuencode has 62 at most.
_LONGEST_START = 400

#: Places that only look like the end of a file, after which it has none.
_MOST_FALSE = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """One uuencoded file, from its `begin` to behind its `end`."""

    name: str | None
    start: int
    stop: int


def files_within(raw: Raw, start: int, stop: int) -> Iterator[Span]:
    """The uuencoded files that stand in [start, stop)."""
    at = start
    while (at := raw.find(b"begin ", at, stop)) >= 0:
        if at == start or raw[at - 1 : at] in (b"\n", b"\r"):
            head = raw[at : min(stop, at + _LONGEST_START)]
            begin = _BEGIN.match(head)
            if begin and _is_data(head[begin.end() :]):
                end = _end(raw, at + begin.end(), stop)
                if end is None:  # nor has any later one an end
                    return
                yield Span(words_decoded(begin[1]) or None, at, end)
                at = end
                continue
        at = raw.next_line(at, stop)


def _is_data(text: bytes) -> bool:
    """Does the text start with a full line of uuencode: its length first, then four letters for three bytes?"""
    line = re.split(rb"[\r\n]", text, maxsplit=1)[0]
    if not line or not 0x20 <= line[0] <= 0x60:
        return False
    letters = ((line[0] - 32 & 63) + 2) // 3 * 4
    # Blanks at the end may be lost; a checksum or a mark may follow.
    return len(line.rstrip()) - 1 <= letters + 1 and len(line.ljust(letters + 1)) - 1 <= letters + 2


def _end(raw: Raw, at: int, stop: int) -> int | None:
    """Offset behind the line `end`, or None."""
    for _ in range(_MOST_FALSE):
        at = raw.find(raw.newline + b"end", at, stop)
        if at < 0:
            return None
        line = _END.match(raw[at + 1 : min(stop, at + 100)])
        if line:
            return at + 1 + line.end()
        at += 1
    return None
