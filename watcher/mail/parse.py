"""
What the header of a mail says. mail-parser reads its addresses and its date; where it gives up on what other mail
programs read, we do. Its functions are asked, not its class: that one works out all it can tell, and twice.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from mailparser.dates import parse_mail_date
from mailparser.utils import get_addresses

from watcher.limits import Limits
from watcher.mail.addresses import lenient_addresses
from watcher.mail.defects import Defects
from watcher.mail.header import Header
from watcher.mail.words import cleaned, words_decoded
from watcher.model import Address

__all__ = ["Letterhead", "letterhead"]

# It logs text of senders at levels up to ERROR; what matters of that is told by `Defects`.
logging.getLogger("mailparser").setLevel(logging.CRITICAL + 1)

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

    def addresses(name: str) -> tuple[Address, ...]:
        kept = tuple(islice(_people(list(header.all(name)), charset), limits.people + 1))
        if len(kept) > limits.people:
            defects.add(f"more than {limits.people} addresses in one header field: the later ones were left out")
        return kept[: limits.people]

    texts = tuple((cleaned(field.name), words_decoded(field.value, charset)) for field in header.fields)
    first: dict[str, str] = {}
    for name, text in texts:
        first.setdefault(name.lower(), text)
    return Letterhead(
        subject=first.get("subject", ""),
        from_=addresses("from"),
        to=addresses("to"),
        cc=addresses("cc"),
        reply_to=addresses("reply-to"),
        date=_date(header.first("date"), first.get("date")),
        message_id=_identity(first.get("message-id")),
        in_reply_to=_identity(first.get("in-reply-to")),
        references=tuple(_MESSAGE_ID.findall(first.get("references", ""))),
        headers=texts,
    )


def _people(fields: list[bytes], charset: str | None) -> Iterator[Address]:
    """The addresses of all fields of one name: as mail-parser reads them, or if that is in doubt, as we do."""
    if _is_plain(fields):
        doubts: list[Any] = []
        found = get_addresses(fields[0].decode("ascii"), defects=doubts, decode_names=True)
        if not doubts:
            named = ((name if name != address else "", address) for name, address in found if address)
            return (Address(cleaned(name), cleaned(address)) for name, address in named)
    return (person for field in fields for person in lenient_addresses(field, charset))


def _is_plain(fields: list[bytes]) -> bool:
    """Is it one field, in ASCII, with no encoded words? Of others mail-parser loses letters or people."""
    return len(fields) == 1 and b"=?" not in fields[0] and fields[0].isascii()


def _date(field: bytes | None, text: str | None) -> datetime | None:
    """The Date field in the zone it names. mail-parser reads RFC 5322 alone, and gives UTC."""
    raw = field.decode("ascii", "surrogateescape") if field is not None else None
    moment: datetime | None = parse_mail_date(raw).value
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
