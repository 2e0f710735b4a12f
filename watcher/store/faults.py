"""What an error of SQLite or the system speaks of: a disk that is full, one that fails, a file that is not ours."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watcher.errors import DatabaseRefused, SpoolFull, StateLocked, StorageFailed, WatcherError

__all__ = ["FULL", "has_room", "passing", "storage", "unopened"]

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

FULL = "the disk is full"

#: Nothing has changed, as SQLite has undone what did not fit, and another try may succeed. What a sync says is not
#: among these: that one may have lost what the next one would confirm.
PASSING = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: FULL,
    sqlite3.SQLITE_BUSY: "another program has locked it",
}


def passing(error: sqlite3.Error) -> str:
    """Why the same change may succeed later, "" if it may not be tried again."""
    code = code_of(error)
    return PASSING.get(code) or PASSING.get(primary(code), "")


def unopened(path: Path, error: sqlite3.Error) -> WatcherError:
    """Why a database could not be opened, and what to do."""
    code = code_of(error)
    if primary(code) == sqlite3.SQLITE_BUSY:
        return StateLocked(f"{path} is locked by another program: end that, nobody else may write to it")
    is_full = not has_room(os.statvfs(path.parent)) and code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}
    if passing(error) or is_full:
        return StorageFailed(f"{path} can't be opened, the disk is full: make room")
    if primary(code) == sqlite3.SQLITE_IOERR:
        return StorageFailed(f"{path} can't be opened: {error}")
    return DatabaseRefused(f"{path} can't be used ({error}): restore it from a backup; the files are kept as they are")


def has_room(disk: os.statvfs_result) -> bool:
    """Whether there is room for another byte and another file name; some file systems don't count names."""
    return disk.f_bavail > 0 and (disk.f_files == 0 or disk.f_favail > 0)


@contextmanager
def storage(what: str) -> Iterator[None]:
    """A failing disk ends the process: what a later fsync says about the same bytes proves nothing."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise SpoolFull(f"{what}: {os.strerror(error.errno)}") from error
        raise StorageFailed(f"{what}: {os.strerror(error.errno or errno.EIO)}") from error


def code_of(error: sqlite3.Error) -> int:
    """What the module raises by itself has none."""
    return getattr(error, "sqlite_errorcode", 0)


def primary(code: int) -> int:
    return code & 0xFF
