"""What a reply, a forward and a new mail look like."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import format_datetime, getaddresses
from pathlib import Path

from watcher.model import Address, MailFolder, Message
from watcher.outbox.compose import MESSAGE_ID, TYPE, Letter
from watcher.outbox.enclosures import LARGEST, Enclosure, LetterRefused, below, enclosure
from watcher.outbox.fields import clean, normal
from watcher.wishes import Request

__all__ = ["Original", "forward", "new_mail", "recipients", "reply"]

QUOTED = 256 << 10  #: characters of a text that is forwarded inline


@dataclass(frozen=True, slots=True)
class Original:
    """The mail that a letter comes of."""

    message: Message
    folder: MailFolder
    roots: tuple[Path, ...]  #: files to be attached lie below one of these; relative names begin at the first


def reply(request: Request, original: Original, sender: Address, peer: Address) -> Letter:
    """An answer in the thread of the mail (RFC 5322 3.6.4)."""
    message = original.message
    return Letter(
        sender=sender,
        to=(peer,),
        subject=request.subject or prefixed("Re", message.subject),
        text=request.text,
        html=request.html,
        enclosures=files(request, original),
        in_reply_to=plain_id(message.message_id),
        references=thread(message),
        automatic="auto-replied",
    )


def new_mail(request: Request, original: Original, sender: Address) -> Letter:
    return Letter(
        sender=sender,
        to=people(request.to),
        cc=people(request.cc),
        subject=request.subject,
        text=request.text,
        html=request.html,
        enclosures=files(request, original),
        automatic="auto-generated",
    )


def forward(request: Request, original: Original, sender: Address) -> Letter:
    """The mail as an attachment, byte for byte, or its text and files (`inline`)."""
    message = original.message
    if request.inline:
        text, enclosures = inline_text(request, original), tuple(inner_files(original))
    else:
        name = (clean(message.subject)[:80] or "mail") + ".eml"
        raw = original.folder.raw
        text, enclosures = request.text, (enclosure(raw.parent, (raw.name,), name, "message/rfc822"),)
    return Letter(
        sender=sender,
        to=people(request.to),
        cc=people(request.cc),
        subject=request.subject or prefixed("Fwd", message.subject),
        text=text,
        enclosures=enclosures,
        references=thread(message),
        automatic="auto-generated",
    )


def recipients(request: Request, letter: Letter) -> Iterator[str]:
    """Addresses of the envelope, each once. Raises AddressRefused, LetterRefused."""
    given = (*letter.to, *letter.cc, *people(request.bcc))
    yield from dict.fromkeys(normal(one.address) for one in given)


def people(given: tuple[str, ...]) -> tuple[Address, ...]:
    """`a@b` or `Name <a@b>`; what is neither is refused when it is spelt. Raises LetterRefused for several in one."""
    return tuple(map(person, given))


def person(given: str) -> Address:
    found = getaddresses([given]) if "<" in given else [("", given)]
    if len(found) != 1:
        raise LetterRefused(f"{given!a} is not one address: write several as a list, a name with a comma in quotes")
    return Address(*found[0])


def prefixed(prefix: str, subject: str) -> str:
    return subject if subject.lower().startswith(f"{prefix.lower()}:") else f"{prefix}: {subject}"


def plain_id(given: str | None) -> str:
    """A Message-ID that may be written down again, "" if it is none."""
    return given if given and MESSAGE_ID.fullmatch(given) else ""


def thread(message: Message) -> tuple[str, ...]:
    before = message.references or ((message.in_reply_to,) if message.in_reply_to else ())
    return tuple(dict.fromkeys(one for one in map(plain_id, (*before, message.message_id)) if one))


def inline_text(request: Request, original: Original) -> str:
    message = original.message
    body = ""
    if message.text:
        with (original.folder.path / message.text).open(encoding="utf-8", errors="replace") as file:
            body = file.read(QUOTED)
    rows = [
        ("From", ", ".join(f"{clean(one.name)} <{clean(one.address)}>".strip() for one in message.from_)),
        ("Date", format_datetime(message.date) if message.date else ""),
        ("Subject", clean(message.subject)),
        ("To", ", ".join(clean(one.address) for one in message.to)),
    ]
    head = "\n".join(f"{name}: {value}" for name, value in rows if value)
    return f"{request.text}\n\n---------- Forwarded message ----------\n{head}\n\n{body}"


# --- files ----------------------------------------------------------------------------------------------------------


def inner_files(original: Original) -> Iterator[Enclosure]:
    for attachment in original.message.attachments:
        kind = attachment.type if TYPE.fullmatch(attachment.type) else "application/octet-stream"
        yield enclosure(*below(attachment.path, original.roots), attachment.name or "file", kind)


def files(request: Request, original: Original) -> tuple[Enclosure, ...]:
    """The files that a handler names. Raises LetterRefused for one that it may not attach."""
    found = tuple(enclosure(*below(name, original.roots), Path(name).name) for name in request.attachments)
    if sum(one.size for one in found) > LARGEST:
        raise LetterRefused(f"the attachments have more than {LARGEST >> 20} MB together")
    return found
