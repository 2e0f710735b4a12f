"""
What a server tells of mails before they are fetched: FETCH answers taken apart, as imaplib hands them out. Pure.

Servers differ in how well they describe a mail. What is missing or makes no sense is None here, never an error: then
the mail itself must tell.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any

from watcher.imap.answers import instant, messages, value_of
from watcher.imap.faults import FOREIGN

__all__ = ["OUTLINE", "TEXT", "USUAL", "Closer", "Leaf", "Outline", "Question", "closely", "looked", "outlines"]

#: Bytes that a server usually needs to describe a mail.
USUAL = 8 * 1024

#: Bytes of header fields, or of a text, that are bargained for.
OUTLINE = 16 * 1024

#: Type of parts in which files may stand uuencoded.
TEXT = "text/plain"

#: Parts of a mail within one another that are looked at; deeper ones are nothing to rely on.
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of mails beside size and INTERNALDATE."""

    header: bool = False  #: the whole, as sent: what a server takes for a field of some name, another reader may not
    parts: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that holds no others (an attached mail counts as one). What it is called, only its own header tells."""

    section: str  #: its number, such as "1.2" (RFC 3501 6.4.5); "" if the mail has but one
    type: str  #: "application/pdf", in lower case
    size: int  #: encoded bytes


@dataclass(frozen=True, slots=True)
class Closer:
    """What a closer look at one part brings. None: not told."""

    header: bytes | None
    start: bytes | None  #: its first encoded bytes; only of a text


@dataclass(frozen=True, slots=True)
class Outline:
    """One mail from outside. None: not told, or in a way that makes no sense."""

    uid: int
    size: int | None  #: bytes, as the server counts; some only estimate
    received: datetime | None  #: INTERNALDATE, in UTC
    header: bytes | None  #: as sent, its first OUTLINE bytes
    leaves: tuple[Leaf, ...] | None  #: all parts, in order
    closer: tuple[Closer, ...] | None = None  #: a closer look at each of `leaves`, once that was taken


def outlines(lines: list[Any], asked: Collection[int]) -> list[Outline]:
    """One Outline for each asked mail that can be made out in the FETCH `lines`."""
    return [
        Outline(
            uid,
            size if isinstance(size := items.get(b"RFC822.SIZE"), int) and size > 0 else None,
            instant(items.get(b"INTERNALDATE")),
            value_of(items, lambda key: key.startswith(b"BODY[HEADER]")),
            leaves(items.get(b"BODYSTRUCTURE")),
        )
        for uid, items in told(lines, asked)
    ]


def told(lines: list[Any], asked: Collection[int]) -> list[tuple[int, dict[bytes, Any]]]:
    """The items of each mail; if the answer as a whole makes no sense, of those that make some by themselves."""
    try:
        return messages(lines, asked)
    except FOREIGN:
        found: dict[int, dict[bytes, Any]] = {}
        for answer in answers(lines):
            with suppress(*FOREIGN):  # then nothing is known of this one
                found.update(messages(answer, asked))
        return sorted(found.items())


def answers(lines: list[Any]) -> Iterator[list[Any]]:
    """One FETCH answer each: pieces with literals, which are tuples, and the rest behind the last of them."""
    answer: list[Any] = []
    for piece in lines:
        answer.append(piece)
        if not isinstance(piece, tuple):
            yield answer
            answer = []


def leaves(structure: Any) -> tuple[Leaf, ...] | None:
    """The parts of a BODYSTRUCTURE (RFC 3501 7.4.2); None if one of them can't be understood."""
    found: list[Leaf] = []
    return tuple(found) if _gather(structure, "", found) else None


def _gather(body: Any, section: str, found: list[Leaf]) -> bool:
    if not isinstance(body, tuple) or section.count(".") > DEEPEST:
        return False
    inner = tuple(takewhile(lambda part: isinstance(part, tuple), body))
    if inner:
        below = f"{section}." if section else ""
        parts = [_gather(part, f"{below}{number}", found) for number, part in enumerate(inner, start=1)]
        return len(inner) < len(body) and all(parts)
    match body:
        case (bytes(group), bytes(kind), _, _, _, _, int(size), *_) if group.isascii() and kind.isascii():
            found.append(Leaf(section, f"{group.decode()}/{kind.decode()}".lower(), size))
            return True
    return False


def closely(items: str, leaf: Leaf) -> str:
    """What to ask for a closer look at a part, beside other `items`."""
    items += f" BODY.PEEK[{leaf.section}.MIME]"
    return f"{items} BODY.PEEK[{leaf.section}]<0.{OUTLINE}>" if leaf.type == TEXT else items


def looked(lines: list[Any], outline: Outline) -> Outline:
    """The outline, with what the FETCH `lines` tell of its parts."""
    items = dict(told(lines, [outline.uid])).get(outline.uid, {})

    def item(key: str) -> bytes | None:
        return value_of(items, lambda each: each == key.encode())

    def closer(leaf: Leaf) -> Closer:
        start = item(f"BODY[{leaf.section}]<0>")
        return Closer(item(f"BODY[{leaf.section}.MIME]"), start if start is not None else item(f"BODY[{leaf.section}]"))

    return replace(outline, closer=tuple(map(closer, outline.leaves or ())))
