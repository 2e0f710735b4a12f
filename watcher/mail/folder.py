"""Writing into a mail folder: nothing outside of it, nothing through a link, nothing over what stands there."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

__all__ = ["OpenFolder", "Written"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_RAW_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

#: What taking apart makes, and makes anew when repeated.
_MADE = ("message.json", "body.txt", "body.html", "attachments")


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written."""

    size: int  #: bytes
    sha256: str  #: hex


class OpenFolder:
    """A mail folder held open, so that nobody can put another one in its place. Raises OSError as the system does."""

    def __init__(self, path: Path) -> None:
        self._folder = os.open(path, _DIRECTORY)
        self._attachments: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._attachments is not None:
            os.close(self._attachments)
        os.close(self._folder)

    def clear(self) -> None:
        """Remove what an earlier run has made, also where it was sealed for a handler."""
        os.fchmod(self._folder, 0o700)
        with suppress(FileNotFoundError, NotADirectoryError):  # a link, planted there, is no directory here
            sealed = os.open("attachments", _DIRECTORY, dir_fd=self._folder)
            os.fchmod(sealed, 0o700)
            os.close(sealed)
        for name in _MADE:
            try:
                os.unlink(name, dir_fd=self._folder)
            except FileNotFoundError:
                continue
            except IsADirectoryError:
                shutil.rmtree(name, dir_fd=self._folder)

    @contextmanager
    def raw(self) -> Iterator[int]:
        """The open file of the raw mail."""
        descriptor = os.open("message.eml", _RAW_FILE, dir_fd=self._folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def body(self, name: str) -> Iterator[IO[bytes]]:
        """A new file for text, beside the raw mail."""
        with os.fdopen(os.open(name, _NEW_FILE, 0o400, dir_fd=self._folder), "wb") as file:
            yield file

    def beginning(self, name: str, characters: int) -> str:
        """The first characters of a text that was written here."""
        descriptor = os.open(name, _RAW_FILE, dir_fd=self._folder)
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            return file.read(characters)

    def attachment(self, name: str, pieces: Iterable[bytes]) -> Written:
        """Write a new file under attachments/."""
        if self._attachments is None:
            os.mkdir("attachments", 0o700, dir_fd=self._folder)
            self._attachments = os.open("attachments", _DIRECTORY, dir_fd=self._folder)
        digest = hashlib.sha256()
        size = 0
        with os.fdopen(os.open(name, _NEW_FILE, 0o400, dir_fd=self._attachments), "wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        return Written(size, digest.hexdigest())

    def publish(self, text: str) -> None:
        """Put message.json in its place, whole or not at all."""
        fresh = "message.json.new"
        with suppress(FileNotFoundError):  # one stays only after a crash
            os.unlink(fresh, dir_fd=self._folder)
        with self.body(fresh) as file:
            file.write(text.encode())
        os.replace(fresh, "message.json", src_dir_fd=self._folder, dst_dir_fd=self._folder)
