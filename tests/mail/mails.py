"""Mails for the tests of this room, and their result."""

import json
from dataclasses import dataclass
from pathlib import Path

from watcher.limits import USUAL, Limits
from watcher.mail.unpack import unpack
from watcher.model import Attachment, Envelope, MailFolder, Message


@dataclass(frozen=True)
class Unpacked:
    """A mail taken apart, with its files."""

    path: Path
    message: Message

    @property
    def text(self) -> str | None:
        return (self.path / self.message.text).read_bytes().decode() if self.message.text else None

    @property
    def html(self) -> str | None:
        return (self.path / self.message.html).read_bytes().decode() if self.message.html else None

    @property
    def names(self) -> list[str | None]:
        return [attachment.name for attachment in self.message.attachments]

    @property
    def files(self) -> list[bytes]:
        return [self.content(attachment) for attachment in self.message.attachments]

    @property
    def record(self) -> dict:
        return json.loads((self.path / "message.json").read_text(encoding="utf-8"))

    def content(self, attachment: Attachment) -> bytes:
        return (self.path / attachment.path).read_bytes()


def folder_of(path: Path, raw: bytes) -> MailFolder:
    folder = MailFolder(path)
    path.mkdir(parents=True, exist_ok=True)
    folder.raw.write_bytes(raw)
    return folder


def taken_apart(path: Path, raw: bytes, limits: Limits = USUAL) -> Unpacked:
    return Unpacked(path, unpack(folder_of(path, raw), Envelope(), limits))


def lines(*rows: str | bytes) -> bytes:
    """The rows with CRLF behind each; text as UTF-8."""
    return b"".join((row.encode() if isinstance(row, str) else row) + b"\r\n" for row in rows)


def multipart(*parts: bytes, kind: str = "mixed", boundary: str = "b0") -> bytes:
    """A mail, or a part, of several parts, each given with its own header."""
    head = lines(f'Content-Type: multipart/{kind}; boundary="{boundary}"', "")
    return head + b"".join(lines(f"--{boundary}") + part + b"\r\n" for part in parts) + lines(f"--{boundary}--")


def part(body: bytes | str, *fields: str | bytes) -> bytes:
    """A part with these header fields."""
    return lines(*fields, "") + (body.encode() if isinstance(body, str) else body)
