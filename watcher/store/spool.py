"""
The spool: one folder per mail, named by its key. What is in it before the ledger knows of it is rubbish.

Order of durability for a mail: its bytes, its folder and the spool's list of folders; then the ledger's transaction.
"""

import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from watcher.model import IDENTITY, MailFolder
from watcher.store.faults import has_room, storage
from watcher.store.opening import sync
from watcher.store.removal import discard

__all__ = ["Draft", "Spool", "storage"]

log = logging.getLogger(__name__)

HEADER_END = (b"\r\n\r\n", b"\n\n")
SYNCERS = 4  #: threads that help to sync many mails: a disk does several syncs at once in little more than one's time
ALONE = 3  #: syncs that are sooner done than others are woken: those of one mail
HEADER_LIMIT = 1 << 20  #: bytes; a mail whose header is longer has its body digested from here on


class Draft:
    """A raw mail on its way to the disk: written in pieces, digested as it goes."""

    def __init__(self, folder: MailFolder) -> None:
        self.folder = folder
        self.raw = folder.raw  # made once: a path costs as much as the system call it is for
        self.whole = sha256()
        self.body = sha256()
        self.head: bytes | None = b""  #: header so far; None once the body has begun
        self.size = 0
        with storage(f"{folder.path}"):
            discard(folder.path)  # left by a fetch that was cut short
            folder.path.mkdir(mode=0o700)
            try:
                self.file = self.raw.open("xb")
            except OSError:
                folder.path.rmdir()
                raise

    def write(self, data: bytes) -> None:
        with storage(f"{self.raw}"):
            self.file.write(data)
        self.size += len(data)
        self.whole.update(data)
        if self.head is None:
            self.body.update(data)
            return
        self.head += data
        end = min((at + len(mark) for mark in HEADER_END if (at := self.head.find(mark)) >= 0), default=-1)
        if end < 0 and len(self.head) > HEADER_LIMIT:
            end = HEADER_LIMIT
        if end >= 0:
            self.body.update(self.head[end:])
            self.head = None

    def finish(self) -> None:
        """All is written; durable it is once `Spool.settle` was called with it."""
        with storage(f"{self.raw}"):
            self.file.close()
            self.raw.chmod(0o400)

    def discard(self) -> None:
        """Forget it: the fetch was cut short, or there is no room for it."""
        with suppress(OSError):  # its last bytes can't be written? Nobody wants them
            self.file.close()
        with storage(f"{self.folder.path}"):
            discard(self.folder.path)


class Spool:
    """The directory `spool` in the state directory."""

    def __init__(self, state: Path) -> None:
        self.path = state / "spool"
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.syncers = ThreadPoolExecutor(SYNCERS, "sync")

    def close(self) -> None:
        self.syncers.shutdown()

    def folder(self, key: str) -> MailFolder:
        return MailFolder(self.path / key)

    def draft(self, key: str) -> Draft:
        return Draft(self.folder(key))

    def settle(self, keys: Iterable[str]) -> None:
        """Make finished drafts durable: bytes, folders and the list of folders. Together, as that costs least."""
        with storage(f"{self.path}"):
            paths = [self.path, *(path for folder in map(self.folder, keys) for path in (folder.raw, folder.path))]
            helped = [(path, self.syncers.submit(sync, path)) for path in paths[ALONE:]]
            for path in paths[:ALONE]:
                sync(path)
            for path, syncing in helped:
                if syncing.cancel():  # all helpers are busy with the mails of others
                    sync(path)
                else:
                    syncing.result()

    def free(self) -> int:
        """Bytes that may still be written; 0 also when there is no room for another file name."""
        with storage(f"{self.path}"):
            room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize if has_room(room) else 0

    def remove(self, keys: Iterable[str]) -> list[Path]:
        """What can't be removed is told, returned, and tried again at the next start: nobody needs it any more."""
        left = []
        for path in (self.path / key for key in keys):
            try:
                discard(path)
            except OSError as error:
                log.warning("can't remove %s: %s", error.filename or path, error.strerror)
                left.append(path)
        return left

    def sweep(self, known: set[str]) -> int:
        """
        Remove the folders of mails that the ledger does not know; how many there were.

        What is not named like one is somebody's: the directory may have been there before us, as below /var.
        """
        names = {path.name for path in self.path.iterdir()} - known
        strays = {name for name in names if IDENTITY.fullmatch(name)}
        if others := names - strays:
            log.warning(
                "%s: %d entries are no mail of ours and are left alone, like %r", self.path, len(others), min(others)
            )
        self.remove(strays)
        return len(strays)
