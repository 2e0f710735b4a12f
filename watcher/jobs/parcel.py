"""
What a webhook is sent: the body of the request, as JSON or as multipart/form-data (RFC 7578), and its signature.

Files are read when they are sent, so that a big mail costs no memory.
"""

import base64
import binascii
import errno
import hmac
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from watcher.config.secret import Secret
from watcher.errors import WatcherError
from watcher.jobs.contract import CONTRACT, Run, first_at, key
from watcher.jobs.program import CannotStart

__all__ = ["TEXT_LIMIT", "FactsSpoilt", "Parcel", "pack", "signature"]

TEXT_LIMIT = 256 * 1024  #: characters of each text that are sent as JSON
FACTS_LIMIT = 64 << 20  #: bytes of message.json that are read; far more than unpacking writes
PIECE = 64 * 1024
PREFIX = "whsec_"

_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.ASCII)


class FactsSpoilt(WatcherError):
    """What unpacking wrote was changed by somebody since."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """The body of a request."""

    type: str  #: for Content-Type
    parts: tuple[bytes | Path, ...]  #: in this order; of a file, what is in it

    def size(self) -> int:
        """Bytes in all. Raises OSError."""
        return sum(len(part) if isinstance(part, bytes) else part.stat().st_size for part in self.parts)

    def pieces(self) -> Iterator[bytes]:
        """All bytes, some at a time. Raises OSError."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            with _opened(part) as file:
                while piece := file.read(PIECE):
                    yield piece


def pack(run: Run) -> Parcel:
    """
    The parcel for this run, as its handler is to have it.

    Raises FactsSpoilt if message.json is not what was written, OSError if the mail folder can't be read.
    """
    with _opened(run.folder.facts) as file:
        data = file.read(FACTS_LIMIT + 1)
    try:
        return _packed(run, json.loads(data[:FACTS_LIMIT]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FactsSpoilt("message.json is not what was written: an earlier handler has changed it") from error


def _packed(run: Run, facts: dict[str, Any]) -> Parcel:
    document = json.dumps({**facts, "content": _content(run.folder.path, facts), "run": _run(run)}).encode()
    if run.settings.format == "json":
        return Parcel("application/json", (document,))
    boundary = f"watcher-{os.urandom(16).hex()}"
    parts: list[bytes | Path] = [_head(boundary, "message", "message.json", "application/json"), document]
    parts += [_head(boundary, "mail", "message.eml", "message/rfc822"), run.folder.raw]
    for attachment in facts["attachments"]:
        name = Path(attachment["path"]).name
        parts += [_head(boundary, "attachment", name, attachment["type"]), run.folder.attachments / name]
    return Parcel(f"multipart/form-data; boundary={boundary}", (*parts, f"\r\n--{boundary}--\r\n".encode()))


def signature(secret: Secret, name: str, moment: int, parcel: Parcel) -> str:
    """
    The value of `webhook-signature` (Standard Webhooks, version 1) for the request `name` sent at `moment`, in seconds
    since 1970. Raises CannotStart if the secret is none.
    """
    text = secret.reveal()
    try:
        material = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        material = b""
    if not text.startswith(PREFIX) or not 24 <= len(material) <= 64:
        raise CannotStart(
            f'the signing secret is none: it must be "{PREFIX}" and base64 of 24 to 64 bytes; '
            f"make one with: echo {PREFIX}$(head -c 32 /dev/urandom | base64)"
        )
    digest = hmac.new(material, f"{name}.{moment}.".encode(), "sha256")
    for piece in parcel.pieces():
        digest.update(piece)
    return f"v1,{base64.b64encode(digest.digest()).decode()}"


def _content(folder: Path, facts: Mapping[str, Any]) -> dict[str, object]:
    """The texts themselves, where message.json names their files."""
    content: dict[str, object] = {"cut": False}
    for kind, name in (("text", "body.txt"), ("html", "body.html")):
        content[kind] = None
        if facts[kind] is not None:
            with _opened(folder / name) as file:
                text = file.read(4 * TEXT_LIMIT + 4).decode("utf-8", "replace")
            content[kind] = text[:TEXT_LIMIT]
            content["cut"] = content["cut"] or len(text) > TEXT_LIMIT
    return content


def _run(run: Run) -> dict[str, object]:
    """What other kinds of handler find in their variables."""
    work = run.work
    return {
        "contract": CONTRACT,
        "handler": work.name,
        "key": key(work),
        "attempt": work.attempt,
        "first_at": first_at(work),
        "sha256": work.digest,
    }


def _head(boundary: str, field: str, name: str, kind: str) -> bytes:
    """What stands before a part. Names are safe ones; quotes are written as browsers do."""
    kind = kind if _TYPE.fullmatch(kind) else "application/octet-stream"
    name = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
    return f"\r\n--{boundary}\r\n{disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The very file, if it is one: a link that an earlier handler has put in its place could lead anywhere."""
    with open(path, "rb", buffering=0, opener=_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        yield file


def _at_once(path: str, flags: int) -> int:
    """Waits for nobody who might write to a named pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
