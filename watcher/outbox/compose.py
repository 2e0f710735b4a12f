"""
A mail built from what is asked for, read again as a stranger would, and held against it before it is let go.

The header fields are spelt in `fields`; stdlib's `email` builds the parts. Pure: bytes come out.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from watcher.errors import MailRefused
from watcher.model import Address
from watcher.outbox import fields
from watcher.outbox.proof import File, Meaning, difference

__all__ = ["LOOP", "MESSAGE_ID", "TYPE", "Enclosure", "Letter", "LetterRefused", "Stamp", "compose", "sendable"]

LOOP = "X-Imap-Watcher"  #: the field that tells our own mail from others', by the name of the state it came from
LONGEST_LINE = 998  #: RFC 5322 2.1.1, without CRLF
THREAD = 20  #: Message-IDs in References; the first and the last ones of a longer thread
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,240}@[!-;=?-~]{1,240}>")

#: 7bit: base64 or quoted-printable for all that is not ASCII, so that no server on the way needs to convert it. The
#: fields are folded already.
POLICY = SMTP.clone(cte_type="7bit", refold_source="none")
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")


class LetterRefused(MailRefused):
    """A mail that can't be built as asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """One file in a mail."""

    name: str  #: as the recipient sees it
    type: str  #: "application/pdf"
    data: bytes
    content_id: str = ""  #: for images in the HTML text: what stands there after "cid:"


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
    loop: str  #: name of the state directory's ledger


def compose(letter: Letter, stamp: Stamp) -> bytes:
    """
    The mail: CRLF everywhere, ASCII unless an address needs more (SMTPUTF8), no line over 998 bytes.

    Raises LetterRefused, AddressRefused.
    """
    if not letter.to and not letter.cc:
        raise LetterRefused("the mail has no recipient")
    mail = EmailMessage(policy=POLICY)
    for name, value in header(letter, stamp):
        mail.set_raw(name, value)
    mail["MIME-Version"] = "1.0"
    place_content(mail, letter)
    utf8 = any(not value.isascii() for value in mail.values())
    try:
        built = sendable(mail.as_bytes(policy=POLICY.clone(utf8=True) if utf8 else POLICY))
    except MessageError as error:  # newer versions of Python find some of what the proof would find
        raise LetterRefused(f"the mail would not be read as it is meant: {error!s:.200}") from error
    if wrong := difference(built, meaning(letter, stamp)):
        raise LetterRefused(f"the mail would not be read as it is meant: {wrong}")
    return built


def sendable(mail: bytes) -> bytes:
    """`mail` as it is, if it may go on the wire. Raises LetterRefused."""
    if BARE.search(mail):
        raise LetterRefused("the mail holds a line end that is not CRLF")
    if b"\0" in mail:
        raise LetterRefused("the mail holds a NUL, which no mail may (RFC 5322 2.2)")
    if has_long_line(mail):
        raise LetterRefused(f"the mail has a line of more than {LONGEST_LINE} bytes")
    return mail


def has_long_line(mail: bytes) -> bool:
    """Whether a line is longer than servers must take. Without a list of all lines: a mail may have a million."""
    at, end = 0, len(mail)
    while end - at > LONGEST_LINE:
        at = mail.rfind(b"\r\n", at, at + LONGEST_LINE + 2) + 2
        if at == 1:
            return True
    return False


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
    images = [one for one in letter.enclosures if one.content_id]
    files = [one for one in letter.enclosures if not one.content_id]
    return Meaning(
        tuple(spelt),
        tuple(one.removesuffix("\n") + "\n" for one in texts),
        tuple(as_file(one) for one in (*images, *files)),
    )


def as_file(one: Enclosure) -> File:
    kind = kind_of(one)
    return fields.clean(one.name), kind, b"" if kind == "message/rfc822" else one.data


def message_id(given: str) -> str:
    if not MESSAGE_ID.fullmatch(given):
        raise LetterRefused(f"{given!a} is no Message-ID")
    return given


def shortened(thread: tuple[str, ...]) -> tuple[str, ...]:
    return thread if len(thread) <= THREAD else (thread[0], *thread[1 - THREAD :])


# --- content --------------------------------------------------------------------------------------------------------


def place_content(mail: EmailMessage, letter: Letter) -> None:
    """Text, HTML with its images, files: as few parts as that takes (RFC 2046 5.1)."""
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
            page.attach(part(image, "inline"))
    if files:
        mail.make_mixed()
        for file in files:
            mail.attach(part(file, "attachment"))


def words(given: str) -> str:
    """Text without what no mail may hold: NUL, half characters, lone carriage returns."""
    return re.sub(r"\r\n?", "\n", given.replace("\0", "")).encode("utf-8", "replace").decode()


def part(enclosure: Enclosure, shown: str) -> EmailMessage:
    """One file as a part; its bytes come out again as they are."""
    kind, name = kind_of(enclosure), fields.clean(enclosure.name)
    made = EmailMessage(policy=POLICY)
    made.set_raw("Content-Type", fields.content_type(kind, name))
    made.set_raw("Content-Disposition", fields.disposition(shown, name))
    if enclosure.content_id:
        made.set_raw("Content-ID", message_id(f"<{enclosure.content_id.strip('<>')}>"))
    if kind == "message/rfc822":  # may not be encoded (RFC 2046 5.2.1)
        made.set_payload(enclosure.data.decode("ascii"))
        return made
    body = EmailMessage(policy=POLICY)
    body.set_content(enclosure.data, maintype="application", subtype="octet-stream", cte="base64")
    made.set_raw("Content-Transfer-Encoding", "base64")
    made.set_payload(body.get_payload())
    return made


def kind_of(enclosure: Enclosure) -> str:
    kind = enclosure.type.lower()
    if not TYPE.fullmatch(kind) or kind.startswith("multipart/"):
        raise LetterRefused(f"{enclosure.type!a} is no type of a file")
    if kind.startswith("message/") and not (kind == "message/rfc822" and is_plain(enclosure.data)):
        return "application/octet-stream"
    return kind


def is_plain(mail: bytes) -> bool:
    """Whether a mail can stand within another as it is; one that can't is enclosed as a file, byte by byte."""
    return mail.isascii() and b"\0" not in mail and not BARE.search(mail) and not has_long_line(mail)
