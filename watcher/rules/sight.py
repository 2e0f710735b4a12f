"""What is known of a mail when rules are held against it: all, or what its server tells before it is fetched."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from watcher.findings import MailKind, SenderVerdict
from watcher.model import Address, MailFolder, Message

__all__ = ["BODY_LIMIT", "Enclosure", "Sight", "taken_apart", "whole"]

#: Characters of the body that patterns see. RE2 needs time in proportion to text times pattern, so both are bounded.
BODY_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Enclosure:
    """One attachment, or what may be one."""

    name: str | None  #: None: not known
    type: str | None  #: same; in lower case


@dataclass(frozen=True, slots=True)
class Sight:
    """A mail as rules see it. None is what is not known; what is known to be absent is empty."""

    account: str
    folder: str
    size: tuple[int, int] | None = None  #: bytes at least, and at most
    age: float | None = None  #: seconds since the server took it in
    from_: tuple[Address, ...] | None = None
    to: tuple[Address, ...] | None = None  #: of Cc, too
    cc: tuple[Address, ...] | None = None
    subject: str | None = None
    headers: tuple[tuple[str, str], ...] | None = None  #: name and value
    attachments: tuple[Enclosure, ...] | None = None  #: all that it has, at least
    exact: bool = True  #: these are its attachments; else what may be some
    kind: MailKind | None = None
    trust: SenderVerdict | None = None
    body: str | None = None  #: its first BODY_LIMIT characters
    reply: str | None = None


def whole(message: Message, body: str, now: float) -> Sight:
    """A mail that was taken apart; `body` is its text, "" if it has none, `now` seconds since 1970. Pure."""
    return Sight(
        account=message.account or "",
        folder=message.folder or "",
        size=(message.size, message.size),
        age=max(0.0, now - message.received.timestamp()) if message.received else None,
        from_=message.from_,
        to=message.to + message.cc,
        cc=message.cc,
        subject=message.subject,
        headers=message.headers,
        attachments=tuple(
            Enclosure(each.name or PurePosixPath(each.path).name, each.type) for each in message.attachments
        ),
        kind=message.nature.kind,
        trust=message.trust.verdict,
        body=body[:BODY_LIMIT],
        reply=message.reply or "",
    )


def taken_apart(folder: MailFolder, message: Message, now: float) -> Sight:
    """The same, with the text that lies in its folder. Raises OSError."""
    body = ""
    if message.text:
        with (folder.path / message.text).open(encoding="utf-8", errors="replace") as text:
            body = text.read(BODY_LIMIT)
    return whole(message, body, now)
