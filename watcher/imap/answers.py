"""Answers of the server taken apart: SEARCH and FETCH, as imaplib hands them out, to plain values. Pure.

A ValueError means that the server does not speak IMAP as we understand it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from imapclient.datetime_util import parse_to_datetime
from imapclient.response_parser import parse_response

__all__ = ["LAST_UID", "Head", "Summary", "found", "heads", "instant", "messages", "piece", "summaries", "value_of"]

#: UIDs are 32-bit, 0 is none (RFC 3501 9, nz-number).
LAST_UID = 0xFFFF_FFFF

#: UIDs one ESEARCH answer may stand for: its ranges make few bytes into many numbers.
MOST_FOUND = 2_000_000

_SEARCH = re.compile(rb"(?P<uids>[\d ]*)(\(MODSEQ \d+\) *)?", re.IGNORECASE)
_ESEARCH = re.compile(
    rb"(\(TAG [^)]*\) )?UID(?P<items>( (MIN|MAX|COUNT|MODSEQ) \d+| ALL (?P<set>[\d:,]+))*) *", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What tells one mail from another, without its text."""

    uid: int
    size: int  #: bytes, as the server counts; some only estimate
    received: datetime  #: INTERNALDATE, in UTC
    message_id: str  #: with brackets, as sent; "" if there is none


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of one mail."""

    uid: int
    received: datetime | None  #: INTERNALDATE, in UTC
    size: int  #: bytes of the whole mail, as the server counts; some only estimate
    data: bytes | None  #: None when the server says OK and sends no text: gone meanwhile, or a dialect of its own


def found(plain: Sequence[Any], extended: Sequence[Any], low: int, high: int) -> list[int]:
    """UIDs of all SEARCH and ESEARCH lines of one answer, sorted, each once, none outside `low` to `high`."""
    uids: set[int] = set()
    for answer in _matches(_SEARCH, plain):
        uids.update(uid for uid in map(int, answer["uids"].split()) if low <= uid <= high)
    for answer in _matches(_ESEARCH, extended):
        uids.update(_members(answer["set"] or b"", low, high))
    return sorted(uids)


def _matches(pattern: re.Pattern[bytes], lines: Sequence[Any]) -> Iterator[re.Match[bytes]]:
    for line in lines:
        if line is not None:  # imaplib's way to say that there are none
            answer = pattern.fullmatch(line) if isinstance(line, bytes) else None
            if answer is None:
                raise ValueError("the answer to SEARCH makes no sense")
            yield answer


def _members(sequence_set: bytes, low: int, high: int) -> set[int]:
    members: set[int] = set()
    for span in filter(None, sequence_set.split(b",")):
        ends = sorted(map(int, span.split(b":")))  # RFC 3501 9: 4:2 is 2:4
        first, last = max(low, ends[0]), min(high, ends[-1])
        if last - first + len(members) > MOST_FOUND:
            raise ValueError("the answer to SEARCH (ESEARCH) has no end")
        members.update(range(first, last + 1))
    return members


def heads(lines: list[Any], asked: Collection[int], length: int) -> list[Head]:
    """One Head for each asked mail that the FETCH `lines` speak of."""
    found_heads = []
    for uid, items in messages(lines, asked):
        size, received = items.get(b"RFC822.SIZE"), instant(items.get(b"INTERNALDATE"))
        data = _text(items, 0, length)
        if not isinstance(size, int):
            size, data = 0, None
        elif size > 0 and data == b"":
            data = None  # RFC 2180 4.1.3: an expunged mail may be told as NIL or ""
        found_heads.append(Head(uid, received, size, data))
    return found_heads


def summaries(lines: list[Any], asked: Collection[int]) -> list[Summary]:
    """One Summary for each asked mail that the FETCH `lines` describe wholly."""
    return [
        Summary(uid, size, received, _message_id(header))
        for uid, items in messages(lines, asked)
        if isinstance(size := items.get(b"RFC822.SIZE"), int)
        and (received := instant(items.get(b"INTERNALDATE"))) is not None
        and (header := value_of(items, lambda key: key.startswith(b"BODY[HEADER.FIELDS"))) is not None
    ]


def piece(lines: list[Any], uid: int, offset: int, length: int | None) -> bytes | None:
    """The text of mail `uid` from `offset` on, at most `length` bytes; None if the FETCH `lines` have none."""
    for _, items in messages(lines, [uid]):
        return _text(items, offset, length)
    return None


def messages(lines: list[Any], asked: Collection[int]) -> list[tuple[int, dict[bytes, Any]]]:
    """The items of each asked mail, from however many FETCH lines.

    Lines without UID are not about what we asked (RFC 2683 3.4.4), whatever their number says.
    """
    if lines == [None]:
        return []
    told = parse_response(lines)
    merged: dict[int, dict[bytes, Any]] = {}
    for items in told[1::2]:
        if not isinstance(items, tuple) or len(items) % 2:
            raise ValueError("the answer to FETCH makes no sense")
        pairs = {
            key.upper(): value for key, value in zip(items[::2], items[1::2], strict=True) if isinstance(key, bytes)
        }
        uid = pairs.get(b"UID")
        if isinstance(uid, int) and uid in asked:
            merged.setdefault(uid, {}).update((key, value) for key, value in pairs.items() if value is not None)
    return sorted(merged.items())


def value_of(items: dict[bytes, Any], wanted: Callable[[bytes], bool]) -> bytes | None:
    """The first item whose key is `wanted`, as octets."""
    for key, value in items.items():
        if wanted(key) and value is not None:
            return value if isinstance(value, bytes) else str(value).encode()
    return None


def _text(items: dict[bytes, Any], offset: int, length: int | None) -> bytes | None:
    text = value_of(items, lambda key: key == b"BODY[]<%d>" % offset)
    if text is None and (text := value_of(items, lambda key: key == b"BODY[]")) is not None:
        text = text[offset:]  # some servers leave out that it is a part, or send all
    return text if text is None or length is None else text[:length]


def instant(value: Any) -> datetime | None:
    """INTERNALDATE as an instant; None if it is missing or nonsense."""
    try:
        told: datetime = parse_to_datetime(value, normalise=False)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _message_id(header: bytes) -> str:
    _, _, value = header.partition(b":")
    return " ".join(value.decode("utf-8", "replace").split())
