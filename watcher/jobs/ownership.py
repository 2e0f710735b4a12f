"""
Who could have written a handler? As with sshd's StrictModes, a file that others may change, or may put another one in
the place of, is not run: it would run with the rights of the daemon.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "objection", "trail"]

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
LINKS = 40  #: symbolic links followed, as the kernel does (path_resolution(7))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing met on the way to a file."""

    path: str
    mode: int  #: type and permissions, as `st_mode`
    owner: int  #: user id


def trail(path: Path) -> Iterator[Entry]:
    """Everything that is passed in reaching `path`, from the root on: directories, symbolic links, then the file.

    Raises OSError where the way ends: something is missing, or the links go round.
    """
    parts = list(reversed(path.absolute().parts[1:]))
    here = ""
    links = 0
    yield _entry("/")
    while parts:
        part = parts.pop()
        if part == "/":
            continue
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        entry = _entry(f"{here}/{part}")
        yield entry
        if not stat.S_ISLNK(entry.mode):
            here = entry.path
            continue
        links += 1
        if links > LINKS:
            raise OSError(f"too many symbolic links: {path}")
        target = Path(entry.path).readlink()
        here = "" if target.is_absolute() else here
        parts += reversed(target.parts)


def objection(entries: Iterable[Entry], us: int) -> str | None:
    """Why a handler reached by `entries` must not run, with the cure; None if only root and user `us` can change it."""
    last: Entry | None = None
    shared: Entry | None = None  #: a directory like /tmp, which only protects what its owner has put in it
    for entry in entries:
        if entry.owner not in {0, us}:
            return f"{entry.path} belongs to user {entry.owner}, who could change the handler: chown it to {us}"
        if shared is not None and not stat.S_ISDIR(entry.mode):
            return f"{entry.path} lies in {shared.path}, where anyone may write: move it to a directory of your own"
        shared = None
        if stat.S_ISDIR(entry.mode) and entry.mode & stat.S_ISVTX and entry.mode & OTHERS_WRITE:
            shared = entry
        elif entry.mode & OTHERS_WRITE and not stat.S_ISLNK(entry.mode):
            return f"{entry.path} can be written by others: chmod go-w {entry.path}"
        last = entry
    if last is None or not stat.S_ISREG(last.mode):
        return f"{last.path if last else 'the handler'} is not a regular file"
    return None


def _entry(path: str) -> Entry:
    found = os.lstat(path)
    return Entry(path, found.st_mode, found.st_uid)
