"""A mail folder with a raw mail in it becomes one with its texts, attachments and facts."""

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from watcher.errors import SpoolFull, Unreadable
from watcher.findings import Trust
from watcher.limits import USUAL, Limits
from watcher.mail.bodies import Bodies, Text, write_bodies
from watcher.mail.defects import Defects
from watcher.mail.facts import CONTRACT, to_json
from watcher.mail.flowed import paragraphs
from watcher.mail.folder import OpenFolder
from watcher.mail.header import Header
from watcher.mail.kinds import nature
from watcher.mail.names import FileNames
from watcher.mail.parse import letterhead
from watcher.mail.raw import Raw
from watcher.mail.reading import parameter
from watcher.mail.reply import REPLY_LIMIT, newest
from watcher.mail.tnef import TNEF_TYPES, enclosed_files
from watcher.mail.transfer import decoded
from watcher.mail.tree import Part, leaves, whole
from watcher.mail.trust import TRUST_NOBODY, TrustPolicy, judge
from watcher.mail.trust.signature import own_check
from watcher.mail.uuencode import files_within
from watcher.model import Address, Attachment, Envelope, MailFolder, Message

__all__ = ["unpack"]


@dataclass(frozen=True, slots=True)
class _File:
    """A leaf that is to become an attachment."""

    name: str | None
    type: str
    inline: bool
    content_id: str | None
    pieces: Callable[[], Iterable[bytes]]


def unpack(
    folder: MailFolder, envelope: Envelope, limits: Limits = USUAL, policy: TrustPolicy = TRUST_NOBODY
) -> Message:
    """
    Take the raw mail of `folder` apart: (re)make body.txt, body.html, attachments/ and, last and at once,
    message.json. Repeating it gives the same. Raises Unreadable if the folder can't be read or written or memory is
    out, SpoolFull if the disk is full; whatever is wrong with the mail itself ends up in the defects of the Message.
    """
    try:
        with OpenFolder(folder.path) as opened, opened.raw() as descriptor:
            opened.clear()
            raw = Raw.of_file(descriptor)
            message = _taken_apart(opened, raw, envelope, limits, policy)
            opened.publish(to_json(message))
    except FileNotFoundError as error:
        raise Unreadable(f"{folder.path}: there is no {error.filename}") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:  # the mail is not to blame
            raise SpoolFull(f"{folder.path}: {error.strerror}") from error
        raise Unreadable(f"{folder.path}: {error.strerror}", crashed=True) from error
    except MemoryError as error:
        raise Unreadable(f"it needs more than {limits.memory} bytes of memory", crashed=True) from error
    return message


def _taken_apart(folder: OpenFolder, raw: Raw, envelope: Envelope, limits: Limits, policy: TrustPolicy) -> Message:
    defects = Defects(limits.defects)
    mail = whole(raw, limits, defects)
    head = letterhead(mail.header, mail.content.charset, limits, defects)
    parts = _parts(mail, limits, defects)
    texts, files = _sorted(parts, limits, defects)
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
        reply=_reply(folder, bodies, parts),
        nature=nature(mail, parts),
        trust=_trust(mail, head.from_, envelope, policy),
    )


def _parts(mail: Part, limits: Limits, defects: Defects) -> list[Part]:
    if mail.raw.size > limits.raw:
        defects.add(f"mail over {limits.raw} bytes: only its header was read")
        return []
    return list(leaves(mail, limits, defects))


def _sorted(parts: list[Part], limits: Limits, defects: Defects) -> tuple[list[Text], list[_File]]:
    """What is to be read, and what is to be kept as it is."""
    texts: list[Text] = []
    files: list[_File] = []
    for leaf in parts:
        _sort(leaf, texts, files, limits)
        if _is_tnef(leaf):
            _open_tnef(leaf, texts, files, limits, defects)
    return texts, files


def _reply(folder: OpenFolder, bodies: Bodies, parts: list[Part]) -> str | None:
    if bodies.text is None:
        return None
    text = folder.beginning(bodies.text, REPLY_LIMIT)
    header = next((leaf.header for leaf in parts if leaf.content.type == "text/plain"), Header())
    if parameter(header, "content-type", "format") == "flowed":
        text = paragraphs(text, delsp=parameter(header, "content-type", "delsp") == "yes")
    return newest(text)


def _trust(mail: Part, shown: tuple[Address, ...], envelope: Envelope, policy: TrustPolicy) -> Trust:
    arrived = envelope.received.timestamp() if envelope.received else time.time()
    check = own_check(mail.raw, mail.start, arrived) if policy.own_dkim else None
    return judge(mail.header, shown, policy, check)


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


def _is_tnef(leaf: Part) -> bool:
    return leaf.content.type in TNEF_TYPES or (leaf.content.name or "").lower() == "winmail.dat"


def _open_tnef(leaf: Part, texts: list[Text], files: list[_File], limits: Limits, defects: Defects) -> None:
    """What Outlook packed into winmail.dat, beside the file itself; its text where the mail has no other."""
    has_text = bool(texts)
    packed = Raw.of_pieces(leaf.slices(), leaf.size)
    for enclosed in enclosed_files(packed, limits, defects):
        if enclosed.body and enclosed.type in {"text/plain", "text/html"}:
            if not has_text:
                texts.append(Text(enclosed.type == "text/html", "utf-8", enclosed.pieces))
        else:
            files.append(_File(enclosed.name, enclosed.type, False, enclosed.content_id, enclosed.pieces))


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
    names = FileNames(limits.name)
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
