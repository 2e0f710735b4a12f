"""
The files of a letter: where they may lie, and their bytes piece by piece, so that no mail is ever held in memory.

A handler, or what it left running, may change them at any time, and put a link where a directory was: each is opened
from its root on, name by name, and no link is followed. What has changed since, the proof of the letter finds.
"""

import mimetypes
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from watcher.errors import MailRefused

__all__ = ["BLOCK", "LARGEST", "Enclosure", "LetterRefused", "below", "enclosure"]

LARGEST = 35 << 20  #: bytes of all files of a mail; more is refused by nearly every server
BLOCK = 57 * 4096  #: bytes read at once: whole lines of base64 (RFC 2045 6.8)

_HOLD = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LetterRefused(MailRefused):
    """A mail that can't be built as asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """One file in a mail."""

    name: str  #: as the recipient sees it
    type: str  #: "application/pdf"
    size: int  #: bytes
    open: Callable[[], BinaryIO]  #: it anew, from its beginning; raises LetterRefused
    content_id: str = ""  #: for images in the HTML text: what stands there after "cid:"

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, `size` of them at most. Raises LetterRefused."""
        left = self.size
        with self.open() as file:
            while left > 0 and (block := file.read(min(left, BLOCK))):
                left -= len(block)
                yield block


def below(name: str, roots: tuple[Path, ...]) -> tuple[Path, tuple[str, ...]]:
    """
    The root under which a file lies, and the names from there to it: a handler may see more of the machine than the
    world. A relative name begins at the first root. Raises LetterRefused.
    """
    try:
        path = (roots[0] / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise LetterRefused(f"attachment {name!a}: is not there") from error
    for root in roots:
        if path != (real := root.resolve()) and path.is_relative_to(real):
            return real, path.relative_to(real).parts
    raise LetterRefused(f"attachment {name!a}: must lie in the mail folder, in $TMPDIR or in $WATCHER_STATE")


def enclosure(root: Path, parts: tuple[str, ...], name: str, kind: str = "") -> Enclosure:
    """The file that `parts` lead to from `root`; if no type is given its name tells it. Raises LetterRefused."""
    opener = partial(_opened, root, parts, name)
    with opener() as file:
        size = os.fstat(file.fileno()).st_size
    if size > LARGEST:
        raise LetterRefused(f"attachment {name!a}: has more than {LARGEST >> 20} MB")
    return Enclosure(name, kind or mimetypes.guess_type(name)[0] or "application/octet-stream", size, opener)


def _opened(root: Path, parts: tuple[str, ...], name: str) -> BinaryIO:
    try:
        descriptor = _descriptor(root, parts)
    except OSError as error:
        raise LetterRefused(f"attachment {name!a}: can't be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LetterRefused(f"attachment {name!a}: is not a plain file")
    return os.fdopen(descriptor, "rb")


def _descriptor(root: Path, parts: tuple[str, ...]) -> int:
    *directories, last = parts
    held = os.open(root, _HOLD)
    try:
        for directory in directories:
            inner = os.open(directory, _HOLD | os.O_NOFOLLOW, dir_fd=held)
            os.close(held)
            held = inner
        return os.open(last, _READ, dir_fd=held)
    finally:
        os.close(held)
