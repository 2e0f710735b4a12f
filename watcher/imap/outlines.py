"""
What a server tells of mails before they are fetched: FETCH answers taken apart, as imaplib hands them out. Pure.

Servers differ in how well they describe a mail. What is missing or makes no sense is None here, never an error: then
the mail itself must tell.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watcher.imap.answers import instant, messages, value_of
from watcher.imap.faults import FOREIGN

__all__ = ["OUTLINE", "Leaf", "Outline", "Question", "outlines"]

#: Bytes of header fields of one mail that are bargained for.
OUTLINE = 16 * 1024

#: Parts of a mail within one another that are looked at; deeper ones are nothing to rely on.
DEEPEST = 20

#: A name that came whole, as far as one can see: some servers cut a name without quotes at its first blank.
NAME = re.compile(r"[ -~]*\.(?=[0-9]{0,3}[A-Za-z])[A-Za-z0-9]{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of mails beside size and INTERNALDATE."""

    fields: tuple[str, ...] = ()  #: names of header fields
    parts: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that holds no others (an attached mail counts as one)."""

    type: str  #: "application/pdf", in lower case
    name: str | None  #: as sent, "" if it has none; None if that can't be said for sure
    attached: bool | None  #: marked as attachment; None if that can't be said
    size: int  #: encoded bytes


@dataclass(frozen=True, slots=True)
class Outline:
    """One mail from outside. None: not told, or in a way that makes no sense."""

    uid: int
    size: int | None  #: bytes, as the server counts; some only estimate
    received: datetime | None  #: INTERNALDATE, in UTC
    header: bytes | None  #: the fields that were asked for, as sent
    leaves: tuple[Leaf, ...] | None  #: all parts, in order


def outlines(lines: list[Any], asked: Collection[int]) -> list[Outline]:
    """One Outline for each asked mail that can be made out in the FETCH `lines`."""
    return [
        Outline(
            uid,
            size if isinstance(size := items.get(b"RFC822.SIZE"), int) and size > 0 else None,
            instant(items.get(b"INTERNALDATE")),
            value_of(items, lambda key: key.startswith(b"BODY[HEADER.FIELDS")),
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
    return tuple(found) if _gather(structure, found, DEEPEST) else None


def _gather(body: Any, found: list[Leaf], depth: int) -> bool:
    if not isinstance(body, tuple) or not body or not depth:
        return False
    if isinstance(body[0], tuple):
        inner = [part for part in body if isinstance(part, tuple)]
        kinds = next((number for number, part in enumerate(body) if not isinstance(part, tuple)), len(body))
        return kinds < len(body) and all(_gather(part, found, depth - 1) for part in inner[:kinds])
    leaf = _leaf(body)
    if leaf:
        found.append(leaf)
    return leaf is not None


def _leaf(body: Sequence[Any]) -> Leaf | None:
    match body:
        case (bytes(group), bytes(kind), parameters, _, _, _, int(size), *_) if group.isascii() and kind.isascii():
            type_ = f"{group.decode()}/{kind.decode()}".lower()
        case _:
            return None
    # RFC 3501 7.4.2: of a text the lines are told before it, of an attached mail its envelope, body and lines.
    place = {"text": 9, "message/rfc822": 11, "message/global": 11}.get(
        type_ if group.lower() != b"text" else "text", 8
    )
    pairs, disposition = _pairs(parameters), _disposition(body, place)
    if pairs is None or disposition is None:
        return Leaf(type_, None, None, size)
    word, more = disposition
    return Leaf(type_, _name(more, pairs), word == b"attachment", size)


def _disposition(body: Sequence[Any], place: int) -> tuple[bytes, dict[bytes, bytes]] | None:
    if len(body) <= place:
        return None
    if body[place] is None:
        return b"", {}
    match body[place]:
        case (bytes(word), parameters):
            pairs = _pairs(parameters)
            return None if pairs is None else (word.lower(), pairs)
    return None


def _pairs(parameters: Any) -> dict[bytes, bytes] | None:
    if parameters is None:
        return {}
    if not isinstance(parameters, tuple) or len(parameters) % 2:
        return None
    texts = [part if isinstance(part, bytes) else str(part).encode() for part in parameters]
    return {key.lower(): value for key, value in zip(texts[::2], texts[1::2], strict=True)}


def _name(disposition: dict[bytes, bytes], parameters: dict[bytes, bytes]) -> str | None:
    """The name as we would read it, if there is but one way to read it."""
    if any(b"*" in key for key in (*disposition, *parameters)):
        return None  # RFC 2231, of which servers make different things
    name = (disposition.get(b"filename") or parameters.get(b"name") or b"").decode("latin-1")
    if not name:
        return ""
    return name if NAME.fullmatch(name) and "=?" not in name and "\\" not in name else None
