"""A mail that others have built, made fit to be sent: complete, with CRLF everywhere, without hidden recipients."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import format_datetime, getaddresses

from watcher.outbox.compose import LOOP, Stamp
from watcher.outbox.enclosures import LetterRefused
from watcher.outbox.fields import normal
from watcher.outbox.wording import check

__all__ = ["Ready", "ready"]

HIDDEN = frozenset({"bcc", "return-path", "delivered-to"})


@dataclass(frozen=True, slots=True)
class Ready:
    """A mail that may go."""

    data: bytes
    sender: str  #: of the envelope, "" if the mail names none
    recipients: tuple[str, ...]  #: that it names in To, Cc and Bcc
    message_id: str


def ready(mail: bytes, stamp: Stamp) -> Ready:
    """`mail` with what it lacks: Message-ID, Date, our loop field. Raises LetterRefused, AddressRefused."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", mail)
    head, empty, body = lines.partition(b"\r\n\r\n")
    read = message_from_bytes(head + b"\r\n\r\n")
    if read.defects or not read.keys():
        raise LetterRefused("standard input is no mail: it does not begin with header fields")
    if len(read.get_all("From", [])) != 1:
        raise LetterRefused("the mail has no From field, or several")
    given = {name.lower() for name in read}
    added = [
        ("Date", format_datetime(stamp.date), "date" not in given),
        ("Message-ID", stamp.message_id, "message-id" not in given),
        (LOOP, stamp.loop, LOOP.lower() not in given),
    ]
    fields = [field for field in re.split(rb"\r\n(?![ \t])", head) if name_of(field) not in HIDDEN]
    fields += [f"{name}: {value}".encode() for name, value, wanted in added if wanted]
    senders = tuple(addresses(read, "From"))
    data = b"\r\n".join(fields) + b"\r\n\r\n" + (body if empty else b"")
    check([data])
    return Ready(
        data,
        senders[0] if senders else "",
        tuple(dict.fromkeys(one for name in ("To", "Cc", "Bcc") for one in addresses(read, name))),
        str(read["Message-ID"] or stamp.message_id).strip(),
    )


def name_of(field: bytes) -> str:
    return field.partition(b":")[0].strip().lower().decode("ascii", "replace")


def addresses(read: "Message[str, str]", name: str) -> Iterator[str]:
    found = [str(value) for value in read.get_all(name, [])]
    yield from (normal(address) for _, address in getaddresses(found) if address)
