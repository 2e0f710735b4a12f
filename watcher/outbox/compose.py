"""
A mail built from what is asked for, read again as a stranger would, and held against it before it is let go.

The header fields are spelt in `fields`. stdlib's `email` builds the parts, with a mark where a file belongs: the files
themselves go from disk to disk in blocks, so that the largest mail costs no memory.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from uuid import uuid4

from watcher.mail.raw import Raw
from watcher.model import Address
from watcher.outbox import fields
from watcher.outbox.enclosures import Enclosure, LetterRefused
from watcher.outbox.proof import File, Meaning, difference
from watcher.outbox.wording import check, is_plain

__all__ = ["LOOP", "MESSAGE_ID", "TYPE", "Letter", "Stamp", "compose", "pieces", "prove", "stamped"]

LOOP = "X-Imap-Watcher"  #: the field that tells our own mail from others', by the name of the state it came from
THREAD = 20  #: Message-IDs in References; the first and the last ones of a longer thread
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,240}@[!-;=?-~]{1,240}>")

#: 7bit: base64 or quoted-printable for all that is not ASCII, so that no server on the way needs to convert it. The
#: fields are folded already.
POLICY = SMTP.clone(cte_type="7bit", refold_source="none")
TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail is to say, and to whom. Texts may hold anything; what can't stand in a mail is taken out of them."""

    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    text: str = ""
    html: str = ""  #: beside or in place of the text
    enclosures: tuple[Enclosure, ...] = ()
    in_reply_to: str = ""  #: Message-ID with brackets
    references: tuple[str, ...] = ()  #: the same, the oldest first
    trail: tuple[str, ...] = ()  #: names of the ledgers of other daemons that it has come through
    automatic: str = ""  #: Auto-Submitted (RFC 3834 5): "auto-replied", "auto-generated"; "" if a person wrote it


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is put on a mail, once and for ever: a second copy of it is known by this."""

    message_id: str  #: with brackets
    date: datetime  #: aware
    loop: str  #: for the loop field: the name of the ledger, and what it is if it is mail of our own


def stamped(key: str, sender: Address, loop: str) -> Stamp:
    """The stamp of a mail that is made now; `key` is its alone. Raises AddressRefused."""
    return Stamp(f"<{key}@{fields.domain(sender)}>", datetime.now(UTC), loop)


def compose(letter: Letter, stamp: Stamp) -> bytes:
    """The mail, for one that is small. Raises LetterRefused, AddressRefused."""
    mail = b"".join(pieces(letter, stamp))
    prove(Raw(mail), letter, stamp)
    return mail


def pieces(letter: Letter, stamp: Stamp) -> Iterator[bytes]:
    """
    The mail: CRLF everywhere, ASCII unless an address needs more (SMTPUTF8), no line over 998 bytes.

    It is not to be let go before `prove` has read it. Raises LetterRefused, AddressRefused.
    """
    if not letter.to and not letter.cc:
        raise LetterRefused("the mail has no recipient")
    mark = uuid4().hex
    mail = EmailMessage(policy=POLICY)
    for name, value in header(letter, stamp):
        mail.set_raw(name, value)
    mail["MIME-Version"] = "1.0"
    place_content(mail, letter, mark)
    utf8 = any(not value.isascii() for value in mail.values())
    try:
        frame = mail.as_bytes(policy=POLICY.clone(utf8=True) if utf8 else POLICY)
    except MessageError as error:  # newer versions of Python find some of what the proof would find
        raise LetterRefused(f"the mail would not be read as it is meant: {error!s:.200}") from error
    before, *behind = frame.split(mark.encode())
    yield before
    for enclosure, text in zip(in_order(letter), behind, strict=True):
        yield from encoded(enclosure)
        yield text


def prove(mail: Raw, letter: Letter, stamp: Stamp) -> None:
    """Raises LetterRefused if a reader of `mail` would find something else than `letter`, or a server could."""
    check(mail.slices(0, mail.size))
    if wrong := difference(mail, meaning(letter, stamp)):
        raise LetterRefused(f"the mail would not be read as it is meant: {wrong}")


def header(letter: Letter, stamp: Stamp) -> list[tuple[str, str]]:
    """Names and spelt values of the fields, in order, without those that tell of the content."""
    rows = [
        ("Date", format_datetime(stamp.date)),
        ("From", fields.mailbox(letter.sender)),
        ("Reply-To", fields.mailboxes(letter.reply_to)),
        ("To", fields.mailboxes(letter.to)),
        ("Cc", fields.mailboxes(letter.cc)),
        ("Subject", fields.text("Subject", fields.clean(letter.subject))),
        ("Message-ID", message_id(stamp.message_id)),
        ("In-Reply-To", message_id(letter.in_reply_to) if letter.in_reply_to else ""),
        ("References", "\r\n ".join(message_id(one) for one in shortened(letter.references))),
        ("Auto-Submitted", letter.automatic),
        # Exchange heeds this and not RFC 3834; an answer by a machine is to be answered by none.
        ("X-Auto-Response-Suppress", "All" if letter.automatic else ""),
        (LOOP, stamp.loop),
        *((LOOP, name) for name in letter.trail),
    ]
    return [(name, value) for name, value in rows if value or name == "Subject"]


def meaning(letter: Letter, stamp: Stamp) -> Meaning:
    """What a reader is to find, told without any of the spelling."""
    people = {"From": (letter.sender,), "Reply-To": letter.reply_to, "To": letter.to, "Cc": letter.cc}
    spelt = [
        (name, tuple((fields.display(one.name), fields.normal(one.address)) for one in people[name]))
        if name in people
        else (name, fields.clean(letter.subject) if name == "Subject" else value.replace("\r\n", ""))
        for name, value in header(letter, stamp)
    ]
    texts = [words(letter.text)] if letter.text or not letter.html else []
    texts += [words(letter.html)] if letter.html else []
    return Meaning(
        tuple(spelt),
        tuple(one.removesuffix("\n") + "\n" for one in texts),
        tuple(map(as_file, in_order(letter))),
    )


def in_order(letter: Letter) -> list[Enclosure]:
    """The files as they stand in the mail: images are parts of the HTML text."""
    return sorted(letter.enclosures, key=lambda one: not one.content_id)


def as_file(one: Enclosure) -> File:
    digest = sha256()
    for block in one.blocks():
        digest.update(block)
    return fields.clean(one.name), kind_of(one), digest.digest()


def message_id(given: str) -> str:
    if not MESSAGE_ID.fullmatch(given):
        raise LetterRefused(f"{given!a} is not a Message-ID")
    return given


def shortened(thread: tuple[str, ...]) -> tuple[str, ...]:
    return thread if len(thread) <= THREAD else (thread[0], *thread[1 - THREAD :])


# --- content --------------------------------------------------------------------------------------------------------


def place_content(mail: EmailMessage, letter: Letter, mark: str) -> None:
    """Text, HTML with its images, files: as few parts as that takes (RFC 2046 5.1). `mark` stands for each file."""
    images = [one for one in letter.enclosures if one.content_id]
    files = [one for one in letter.enclosures if not one.content_id]
    if images and not letter.html:
        raise LetterRefused("an image has a content_id, but there is no HTML text to show it in")
    if letter.text or not letter.html:
        mail.set_content(words(letter.text), charset="utf-8")
    if letter.html and letter.text:
        mail.add_alternative(words(letter.html), subtype="html", charset="utf-8")
    elif letter.html:
        mail.set_content(words(letter.html), subtype="html", charset="utf-8")
    if images:
        page = mail.get_body(("html",))
        assert isinstance(page, EmailMessage)
        page.make_related()
        del page["MIME-Version"]
        for image in images:
            page.attach(part(image, "inline", mark))
    if files:
        mail.make_mixed()
        for file in files:
            mail.attach(part(file, "attachment", mark))


def words(given: str) -> str:
    """Text without what no mail may hold: NUL, half characters, lone carriage returns."""
    return re.sub(r"\r\n?", "\n", given.replace("\0", "")).encode("utf-8", "replace").decode()


def part(enclosure: Enclosure, shown: str, mark: str) -> EmailMessage:
    """One file as a part; its bytes come out again as they are."""
    kind, name = kind_of(enclosure), fields.clean(enclosure.name)
    made = EmailMessage(policy=POLICY)
    made.set_raw("Content-Type", fields.content_type(kind, name))
    made.set_raw("Content-Disposition", fields.disposition(shown, name))
    if enclosure.content_id:
        made.set_raw("Content-ID", message_id(f"<{enclosure.content_id.strip('<>')}>"))
    if kind != "message/rfc822":
        made.set_raw("Content-Transfer-Encoding", "base64")
    made.set_payload(mark)
    return made


def encoded(enclosure: Enclosure) -> Iterator[bytes]:
    """The body of the part; a mail may not be encoded (RFC 2046 5.2.1)."""
    if kind_of(enclosure) == "message/rfc822":
        yield from enclosure.blocks()
        return
    for block in enclosure.blocks():
        yield base64.encodebytes(block).replace(b"\n", b"\r\n")


def kind_of(enclosure: Enclosure) -> str:
    kind = enclosure.type.lower()
    if not TYPE.fullmatch(kind) or kind.startswith("multipart/"):
        raise LetterRefused(f"{enclosure.type!a} is not the type of a file")
    if kind.startswith("message/") and not (kind == "message/rfc822" and is_plain(enclosure.blocks())):
        return "application/octet-stream"
    return kind
