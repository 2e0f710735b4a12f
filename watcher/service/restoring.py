"""The way back: a state directory from a backup. The ledger comes last, so that none is ever started from a half."""

import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO

from watcher.errors import WatcherError
from watcher.service.backup import ABOUT, FORM, LEDGER, About, told
from watcher.store.copies import LedgerCopy
from watcher.store.lock import hold_state
from watcher.store.opening import sync
from watcher.store.removal import discard
from watcher.store.spool import Spool

__all__ = ["Restoring", "restore"]

NAME = re.compile(r"mails/([\w-]{1,100})\.eml", re.ASCII)
NAMED = re.compile(r"[\w-]{1,100}", re.ASCII)
TOGETHER = 100  #: mails that are made durable at once
PIECE = 1 << 20  #: bytes copied at once
OURS = ("spool", "instance", "ledger.new")  #: what a restore that fails takes away again


class Restoring:
    """A restore under way: it yields a key for each mail that it has put in place, then `finish`."""

    def __init__(self, state: Path, tar: tarfile.TarFile, file: Path) -> None:
        self.state, self.tar, self.file = state, tar, file
        self.spool = Spool(state)
        self.digests: dict[str, str] = {}  #: of the mails that are in place, by key
        self.about = read_about(tar.next(), tar, file)
        # A daemon that finds this file and no ledger refuses to begin anew.
        (state / "instance").write_text(f"{self.about.instance}\n", "ascii")
        sync(state / "instance")

    def mails(self) -> Iterator[str]:
        """Put each mail in place."""
        fresh: list[str] = []
        while (member := self.tar.next()) and member.name != LEDGER:
            found = NAME.fullmatch(member.name)
            content = self.tar.extractfile(member) if found and member.isreg() else None
            if not found or content is None or found[1] in self.digests:
                raise WatcherError(f"{self.file} holds {member.name!r}, which no backup does")
            self.digests[found[1]] = self.store(found[1], content)
            fresh.append(found[1])
            if len(fresh) == TOGETHER:
                self.spool.settle(fresh)
                fresh = []
            yield found[1]
        self.spool.settle(fresh)
        if member is None or (ledger := self.tar.extractfile(member)) is None:
            raise WatcherError(f"{self.file} was cut short: it has no ledger")
        copied(ledger, self.state / "ledger.new")

    def store(self, key: str, content: IO[bytes]) -> str:
        draft = self.spool.draft(key)
        while piece := content.read(PIECE):
            draft.write(piece)
        draft.finish()
        return draft.whole.hexdigest()

    def finish(self) -> None:
        """The ledger, once it is known that each mail is as the ledger says."""
        with LedgerCopy(self.state / "ledger.new") as copy:
            if flaw := copy.flaw():
                raise WatcherError(f"the ledger in {self.file} {flaw}")
            wrong = [key for key, digest in copy.digests().items() if self.digests.get(key, digest) != digest]
            if wrong or copy.instance != self.about.instance:
                raise WatcherError(f"{self.file} is damaged: {', '.join(wrong) or LEDGER} is not what it was")
            copy.sync()
        (self.state / "ledger.new").rename(self.state / "ledger.db")
        sync(self.state)


@contextmanager
def restore(file: Path, state: Path) -> Iterator[Restoring]:
    """Make `state` from a backup. Raises WatcherError or StateLocked; then `state` is as empty as it was."""
    with told(file), file.open("rb") as opened, hold_state(state):
        if there := sorted(path.name for path in state.iterdir() if path.name != "lock"):
            raise WatcherError(f"{state} is not empty (it holds {', '.join(there[:3])}): move it away, or name another")
        try:
            with tarfile.open(fileobj=opened, mode="r:") as tar:
                restoring = Restoring(state, tar, file)
                yield restoring
                restoring.finish()
        except BaseException as error:
            for name in OURS:
                discard(state / name)
            if isinstance(error, tarfile.TarError | EOFError):
                raise WatcherError(f"{file} is not a backup, or damaged: {error}") from error
            raise


def read_about(member: tarfile.TarInfo | None, tar: tarfile.TarFile, file: Path) -> About:
    content = tar.extractfile(member) if member and member.name == ABOUT and member.size < PIECE else None
    try:
        told = json.load(content) if content else {}
        about = About(**{field.name: told[field.name] for field in fields(About)})
        sound = bool(NAMED.fullmatch(about.instance)) and about.mails >= 0 and about.backup >= 1
    except (ValueError, TypeError, KeyError) as error:
        raise WatcherError(f"{file} is not a backup of imap-watcher") from error
    if not sound:
        raise WatcherError(f"{file} is not a backup of imap-watcher")
    if about.backup > FORM:
        raise WatcherError(f"{file} was made by a newer imap-watcher (form {about.backup}, this one knows {FORM})")
    return about


def copied(content: IO[bytes], to: Path) -> None:
    with to.open("xb") as file:
        while piece := content.read(PIECE):
            file.write(piece)
