"""Putting files in place so that each is whole or not there, and all of them or none."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from watcher.errors import WatcherError

__all__ = ["Placement"]


class Placement:
    """
    Files put in place together: unless `keep` was called, the end of the `with` takes away what was made, and puts back
    what was replaced. Nobody else may read them.
    """

    def __init__(self) -> None:
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def keep(self) -> None:
        """All is well: nothing will be undone."""
        self._undo.pop_all()

    def create(self, path: Path, text: str, mode: int = 0o600) -> None:
        """A new file, whole at once. Raises WatcherError, also if there is one of this name."""
        self.create_bytes(path, text.encode(), mode)

    def create_bytes(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """The same for what is not text."""
        self._folder(path.parent)
        fresh = self._written(path, data, mode)
        try:
            os.link(fresh, path)  # unlike rename, never over another file
        except OSError as error:
            raise WatcherError(f"{path} can't be made: {error.strerror}") from error
        finally:
            fresh.unlink()
        self._undo.callback(path.unlink, missing_ok=True)

    def replace(self, path: Path, text: str) -> None:
        """Another text for a file that is there, whole at once; its mode stays, its owner too. Raises WatcherError."""
        try:
            before, found = path.read_text("utf-8"), path.stat()
            self._exchange(path, text, found)
        except OSError as error:
            raise WatcherError(f"{path} can't be changed: {error.strerror}") from error
        self._undo.callback(self._exchange, path, before, found)

    def _exchange(self, path: Path, text: str, found: os.stat_result) -> None:
        fresh = self._written(path, text.encode(), found.st_mode & 0o777)
        if found.st_uid != os.geteuid():
            os.chown(fresh, found.st_uid, found.st_gid)
        fresh.rename(path)

    def _folder(self, path: Path) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            try:
                folder.mkdir(mode=0o700)
            except OSError as error:
                raise WatcherError(f"{folder} can't be made: {error.strerror}") from error
            self._undo.callback(folder.rmdir)

    def _written(self, path: Path, data: bytes, mode: int) -> Path:
        """The bytes in a file beside `path`, durable."""
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            raise WatcherError(f"{path} can't be written: {error.strerror}") from error
        fresh = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
        except BaseException as error:
            fresh.unlink()
            if isinstance(error, OSError):
                raise WatcherError(f"{path} can't be written: {error.strerror}") from error
            raise
        return fresh
