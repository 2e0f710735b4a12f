"""
The tree of parts (RFC 2046) as offsets in the raw mail.

From the top down: a multipart is cut at its own boundaries within the span its parent gave it. So a part that was never
closed ends where its parent's next part begins, a part keeps its exact bytes, and nothing needs recursion.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from watcher.limits import USUAL, Limits
from watcher.mail.content import Content, described
from watcher.mail.defects import Defects
from watcher.mail.header import Header, read_header
from watcher.mail.raw import Raw
from watcher.mail.transfer import decoded

__all__ = ["Part", "leaves", "whole"]

#: What may stand behind a boundary on its line. One whose quoted form ends in blanks has them before its dashes too.
_TAIL = re.compile(rb"[ \t]*+(--|-\Z)?[ \t]*+(?:\r*+\n|\r|\Z)")

#: Bytes of a line that are looked at behind a boundary.
_LONGEST_TAIL = 256

#: Places that only look like a boundary, after which a multipart is left alone.
_MOST_FALSE = 50_000

#: A message that is said to be encoded, but begins with a header field.
_PLAIN_MESSAGE = re.compile(rb"\s*[A-Za-z][A-Za-z0-9-]*:|>?From ")

#: The line that an mbox file puts before a message (RFC 4155); it is no part of the message.
_ENVELOPE_LINE = re.compile(rb"(?:\r?\n)*From [^\r\n]{1,300}(?:\r?\n|\r)")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail: its header, and where its body lies in `raw`."""

    raw: Raw
    header: Header
    content: Content
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Encoded bytes."""
        return self.stop - self.start

    def slices(self) -> Iterator[bytes]:
        """The decoded bytes, in pieces; each call begins anew."""
        return decoded(self.raw.slices(self.start, self.stop), self.content.encoding)


def whole(raw: Raw, limits: Limits, defects: Defects) -> Part:
    """The mail as one part."""
    return _part(raw, (0, raw.size), "text/plain", limits, defects)


def leaves(mail: Part, limits: Limits, defects: Defects) -> Iterator[Part]:
    """All parts of a mail that hold no others, in order, each once; what lies deeper or later than allowed is noted."""
    open_parts = [iter((mail,))]
    count = 0
    while open_parts:
        part = next(open_parts[-1], None)
        if part is None:
            open_parts.pop()
            continue
        if count == limits.parts:
            defects.add(f"more than {limits.parts} parts: the later ones are only in the raw mail")
            return
        count += 1
        if not part.content.is_multipart:
            yield part if not part.content.is_message else _bare(part)
        elif len(open_parts) > limits.depth:
            defects.add(f"parts nested deeper than {limits.depth}: handed over unopened")
            yield part
        else:
            open_parts.append(_children(part, limits, defects))


def _part(raw: Raw, span: tuple[int, int], default: str, limits: Limits, defects: Defects) -> Part:
    header, body = read_header(raw, *span, limits, defects)
    return Part(raw, header, described(header, default, defects), body, span[1])


def _bare(part: Part) -> Part:
    """An attached message. RFC 2046 5.2.1 forbids encoding it; some encode it, and some only say so."""
    beginning = part.raw[part.start : min(part.stop, part.start + 400)]
    if part.content.encoding and _PLAIN_MESSAGE.match(beginning):
        part = replace(part, content=replace(part.content, encoding=""))
    envelope = _ENVELOPE_LINE.match(beginning) if not part.content.encoding else None
    return replace(part, start=part.start + envelope.end()) if envelope else part


def _children(part: Part, limits: Limits, defects: Defects) -> Iterator[Part]:
    """The parts of a multipart; if no boundary is found, its body as text."""
    default = "message/rfc822" if part.content.type == "multipart/digest" else "text/plain"
    found = _cut(part, defects)
    if found is None and part.content.encoding:  # RFC 2045 6.4 forbids it, yet it is sent
        inner = Raw.of_pieces(part.slices(), part.size)
        part = replace(part, raw=inner, start=0, stop=inner.size, content=replace(part.content, encoding=""))
        found = _cut(part, defects)
    if found is None:
        defects.add("a multipart without its boundary: taken as text")
        if part.size > _LONGEST_TAIL or part.raw[part.start : part.stop].strip():
            yield replace(part, content=replace(part.content, type="text/plain", disposition=""))
        return
    for start, stop in found:
        if start < stop:
            yield _part(part.raw, (start, stop), default, limits, defects)


def _cut(part: Part, defects: Defects) -> Iterator[tuple[int, int]] | None:
    """Where the parts of a multipart begin and end, or None if none of the boundaries it may have is there."""
    for boundary in part.content.boundaries:
        lines = _delimiters(part, boundary)
        first = next(lines, None)
        if first is not None:
            return _spans(part, boundary, chain((first,), lines), defects)
    return None


@dataclass(frozen=True, slots=True)
class _Delimiter:
    before: int  #: where the part before it ends: its line end belongs to the delimiter (RFC 2046 5.1.1)
    behind: int  #: where the next line starts
    closes: bool


def _spans(
    part: Part, boundary: bytes, delimiters: Iterator[_Delimiter], defects: Defects
) -> Iterator[tuple[int, int]]:
    start: int | None = None  # of the part that is open
    for delimiter in delimiters:
        if start is not None:
            if delimiter.closes and _is_inner(part, boundary, start, delimiter):
                continue
            yield start, max(start, delimiter.before)
        start = None if delimiter.closes else delimiter.behind
    if start is not None:
        defects.add("a multipart is not closed: the mail may be cut off")
        yield start, part.stop


def _is_inner(part: Part, boundary: bytes, start: int, delimiter: _Delimiter) -> bool:
    """What closes a multipart may also open an inner one, whose boundary is the outer one and two dashes more."""
    header, _ = read_header(part.raw, start, delimiter.before, USUAL, Defects(0))
    inner = described(header, "text/plain", Defects(0))
    return inner.is_multipart and any(other.startswith(boundary + b"--") for other in inner.boundaries)


def _delimiters(part: Part, boundary: bytes) -> Iterator[_Delimiter]:
    """The lines of a multipart that are its boundary and nothing else."""
    raw, at = part.raw, part.start
    needle = b"--" + boundary
    missed = 0
    while missed < _MOST_FALSE and (at := raw.find(needle, at, part.stop)) >= 0:
        behind = at + len(needle)
        tail = _TAIL.match(raw[behind : min(part.stop, behind + _LONGEST_TAIL)])
        before = raw[max(part.start, at - 2) : at]
        if tail and (not before or before[-1:] in (b"\n", b"\r")):
            line_end = 2 if before == b"\r\n" else min(1, len(before))
            behind += tail.end()
            yield _Delimiter(at - line_end, behind, tail[1] is not None)
            at = behind
        else:
            missed += 1
            at = raw.next_line(behind, part.stop)
