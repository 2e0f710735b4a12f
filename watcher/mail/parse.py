"""What the header of a mail says. mail-parser reads it; where it gives up on what other mail programs read, we do."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import Message as HeaderBlock
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from mailparser import MailParser

from watcher.limits import Limits
from watcher.mail.addresses import lenient_addresses
from watcher.mail.defects import Defects
from watcher.mail.header import Header
from watcher.mail.words import printable, words_decoded
from watcher.model import Address

__all__ = ["Letterhead", "letterhead"]

# It logs text of senders at levels up to ERROR; what matters of that is told by `Defects`.
logging.getLogger("mailparser").setLevel(logging.CRITICAL + 1)

_PEOPLE = frozenset({"from", "to", "cc", "reply-to"})

#: What mail-parser is asked for. The rest would cost time and is not used.
_FIELDS = _PEOPLE | {"date"}

_MESSAGE_ID = re.compile(r"<[^<>\s]+>")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """The header fields that a Message has by name, and all of them as text."""

    subject: str
    from_: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    date: datetime | None  #: without zone if the field names none
    message_id: str | None  #: with brackets, as sent
    in_reply_to: str | None
    references: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]  #: in order, decoded, printable


def letterhead(header: Header, charset: str | None, limits: Limits, defects: Defects) -> Letterhead:
    """Read a header. `charset` is that of the text, for octets that the header does not explain."""
    ours = {name for name in _PEOPLE if not _is_plain(list(header.all(name)))}
    parsed: Any = MailParser(_block(header, _FIELDS - ours))
    ours.update(defect["header"] for defect in parsed.address_header_defects)

    def addresses(name: str, found: Iterable[tuple[str, str]]) -> tuple[Address, ...]:
        if name in ours:
            people = (person for value in header.all(name) for person in lenient_addresses(value, charset))
        else:
            people = (Address(printable(person), printable(address)) for person, address in found)
        kept = tuple(islice(people, limits.people + 1))
        if len(kept) > limits.people:
            defects.add(f"more than {limits.people} addresses in one header field: the later ones were left out")
        return kept[: limits.people]

    texts = tuple((printable(field.name), words_decoded(field.value, charset)) for field in header.fields)
    first: dict[str, str] = {}
    for name, text in texts:
        first.setdefault(name.lower(), text)
    return Letterhead(
        subject=first.get("subject", ""),
        from_=addresses("from", parsed.from_),
        to=addresses("to", parsed.to),
        cc=addresses("cc", parsed.cc),
        reply_to=addresses("reply-to", parsed.reply_to),
        date=_date(parsed, first.get("date")),
        message_id=_identity(first.get("message-id")),
        in_reply_to=_identity(first.get("in-reply-to")),
        references=tuple(_MESSAGE_ID.findall(first.get("references", ""))),
        headers=texts,
    )


def _is_plain(fields: list[bytes]) -> bool:
    """Is it one field at most, in ASCII, with no encoded words? Of others mail-parser loses letters or people."""
    return not fields or (len(fields) == 1 and b"=?" not in fields[0] and fields[0].isascii())


def _block(header: Header, names: frozenset[str]) -> HeaderBlock:
    block = HeaderBlock()
    for field in header.fields:
        if field.name.lower() in names:
            block[field.name] = field.value.decode("ascii", "surrogateescape")
    return block


def _date(parsed: Any, text: str | None) -> datetime | None:
    """The Date field in the zone it names. mail-parser reads RFC 5322 alone, and gives UTC."""
    moment: datetime | None = parsed.date
    try:
        as_written = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError, IndexError, TypeError):
        as_written = None
    if moment is None or as_written is None:
        return as_written or moment
    return moment.astimezone(as_written.tzinfo) if as_written.tzinfo else moment


def _identity(text: str | None) -> str | None:
    found = _MESSAGE_ID.search(text) if text else None
    return found[0] if found else (text or "").strip() or None
