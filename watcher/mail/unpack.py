"""A mail folder with a raw mail in it becomes one with its texts, attachments and facts."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from watcher.errors import Unreadable
from watcher.mail.bodies import Text, write_bodies
from watcher.mail.defects import Defects
from watcher.mail.facts import CONTRACT, to_json
from watcher.mail.folder import OpenFolder
from watcher.mail.limits import USUAL, Limits
from watcher.mail.names import Names
from watcher.mail.parse import letterhead
from watcher.mail.raw import Raw
from watcher.mail.transfer import decoded
from watcher.mail.tree import Part, leaves, whole
from watcher.mail.uuencode import files_within
from watcher.model import Attachment, Envelope, MailFolder, Message

__all__ = ["unpack"]


@dataclass(frozen=True, slots=True)
class _File:
    """A leaf that is to become an attachment."""

    name: str | None
    type: str
    inline: bool
    content_id: str | None
    pieces: Callable[[], Iterable[bytes]]


def unpack(folder: MailFolder, envelope: Envelope, limits: Limits = USUAL) -> Message:
    """
    Take the raw mail of `folder` apart: (re)make body.txt, body.html, attachments/ and, last and at once,
    message.json. Repeating it gives the same. Raises Unreadable if the folder can't be read or written or memory is
    out; whatever is wrong with the mail itself ends up in the defects of the Message.
    """
    try:
        with OpenFolder(folder.path) as opened, opened.raw() as descriptor:
            opened.clear()
            raw = Raw.of_file(descriptor)
            message = _taken_apart(opened, raw, envelope, limits)
            opened.publish(to_json(message))
    except FileNotFoundError as error:
        raise Unreadable(f"{folder.path}: there is no {error.filename}") from error
    except OSError as error:
        raise Unreadable(f"{folder.path}: {error.strerror}", crashed=True) from error
    except MemoryError as error:
        raise Unreadable(f"it needs more than {limits.memory} bytes of memory", crashed=True) from error
    return message


def _taken_apart(folder: OpenFolder, raw: Raw, envelope: Envelope, limits: Limits) -> Message:
    defects = Defects(limits.defects)
    mail = whole(raw, limits, defects)
    head = letterhead(mail.header, mail.content.charset, limits, defects)
    texts: list[Text] = []
    files: list[_File] = []
    if raw.size > limits.raw:
        defects.add(f"mail over {limits.raw} bytes: only its header was read")
    else:
        for leaf in leaves(mail, limits, defects):
            _sort(leaf, texts, files, limits)
    identities = frozenset(file.content_id for file in files if file.content_id)
    bodies = write_bodies(folder, texts, identities, limits, defects)
    attachments = tuple(_written(folder, files, bodies.shown, limits))
    return Message(
        contract=CONTRACT,
        key=envelope.key,
        account=envelope.account,
        folder=envelope.folder,
        uidvalidity=envelope.uidvalidity,
        uid=envelope.uid,
        received=envelope.received,
        size=raw.size,
        message_id=head.message_id,
        in_reply_to=head.in_reply_to,
        references=head.references,
        date=head.date,
        subject=head.subject,
        from_=head.from_,
        to=head.to,
        cc=head.cc,
        reply_to=head.reply_to,
        headers=head.headers,
        text=bodies.text,
        html=bodies.html,
        attachments=attachments,
        defects=defects.listed(),
    )


def _sort(leaf: Part, texts: list[Text], files: list[_File], limits: Limits) -> None:
    """Plain text and HTML are body unless marked as attachment; all else is an attachment; named text is both."""
    content = leaf.content
    is_text = content.type in ("text/plain", "text/html") and content.disposition != "attachment"
    if is_text:
        text, inner = _separated(leaf, limits)
        texts.append(text)
        files += inner
    if content.name if is_text else leaf.header.fields or leaf.size:
        marked = content.disposition == "inline"
        files.append(_File(content.name, content.type, marked, content.content_id, leaf.slices))


def _separated(leaf: Part, limits: Limits) -> tuple[Text, list[_File]]:
    """A text part without the files that stand uuencoded in it, and these files."""
    is_html = leaf.content.type == "text/html"
    raw, start, stop = leaf.raw, leaf.start, leaf.stop
    if leaf.size <= limits.memory_part:
        raw = Raw(b"".join(leaf.slices()))
        start, stop = 0, raw.size
    elif leaf.content.encoding:
        return Text(is_html, leaf.content.charset, leaf.slices), []
    spans = [] if is_html else list(islice(files_within(raw, start, stop), limits.parts))
    edges = [start, *chain.from_iterable((span.start, span.stop) for span in spans), stop]

    def text() -> Iterator[bytes]:
        return chain.from_iterable(raw.slices(*edge) for edge in zip(edges[::2], edges[1::2], strict=True))

    def content_of(start: int, stop: int) -> Callable[[], Iterator[bytes]]:
        return lambda: decoded(raw.slices(start, stop), "uuencode")

    files = [
        _File(span.name, "application/octet-stream", False, None, content_of(span.start, span.stop)) for span in spans
    ]
    return Text(is_html, leaf.content.charset, text), files


def _written(folder: OpenFolder, files: list[_File], shown: frozenset[str], limits: Limits) -> Iterator[Attachment]:
    names = Names(limits.name)
    for number, file in enumerate(files, start=1):
        name = names.take(file.name, file.type, number)
        written = folder.attachment(name, file.pieces())
        yield Attachment(
            name=file.name,
            path=f"attachments/{name}",
            type=file.type,
            size=written.size,
            sha256=written.sha256,
            inline=file.inline or file.content_id in shown,
            content_id=file.content_id,
        )
