"""
Backup and restore: one tar file with the raw mails of the spool and a copy of the ledger that names them.

What is in it, in this order: `about.json`, `mails/KEY.eml` for each mail, `ledger.db`. So one without a ledger was cut
short. What can be made again (the parts of the mails), what a person gives again (OAuth tokens, which change with each
use) and what is not ours (configuration, handlers and what they keep) is not in it.
"""

import io
import json
import os
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from watcher.errors import WatcherError
from watcher.store.copies import LedgerCopy, copy_ledger
from watcher.store.opening import sync
from watcher.store.spool import Spool

__all__ = ["About", "Backup", "back_up"]

FORM = 1  #: of the tar file
ABOUT, LEDGER, MAILS = "about.json", "ledger.db", "mails/{}.eml"


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of itself."""

    backup: int  #: form of the tar file
    instance: str  #: name of the ledger
    made_at: float  #: seconds since 1970
    mails: int


class Backup:
    """A backup that is being made: `add` each of `keys`, then `finish`."""

    def __init__(self, spool: Spool, copy: LedgerCopy, file: IO[bytes], *, mails: bool) -> None:
        self.spool = spool
        self.copy = copy
        self.mails = mails
        self.file = file
        self.keys: Sequence[str] = list(copy.digests()) if mails else []
        self.missing: list[str] = [] if mails else list(copy.digests())
        self.tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - `finish` closes it
        about = json.dumps(asdict(About(FORM, copy.instance, time.time(), len(self.keys)))).encode()
        self.put(ABOUT, io.BytesIO(about), len(about))

    def add(self, key: str) -> None:
        """One mail; it may have been cleared away since the ledger was copied."""
        try:
            with self.spool.folder(key).raw.open("rb") as raw:
                self.put(MAILS.format(key), raw, os.fstat(raw.fileno()).st_size)
        except FileNotFoundError:
            self.missing.append(key)

    def finish(self) -> None:
        """The ledger, which names what is there."""
        self.copy.forget(self.missing, only_settled=not self.mails)
        self.copy.expect_raw_mails()
        with self.copy.path.open("rb") as ledger:
            self.put(LEDGER, ledger, os.fstat(ledger.fileno()).st_size)
        self.tar.close()

    def put(self, name: str, content: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(time.time())
        self.tar.addfile(member, content)


@contextmanager
def back_up(state: Path, file: Path, *, mails: bool) -> Iterator[Backup]:
    """
    Make a backup of `state` as of now, whether a daemon runs on it or not, and keep it as `file` once all went well.

    Raises WatcherError; then nothing is left of it.
    """
    if file.exists():
        raise WatcherError(f"{file} is there already; name a file that is not")
    part, ledger = file.with_name(f"{file.name}.part"), file.with_name(f"{file.name}.ledger")
    with told(file), ExitStack() as at_end:
        for path in (part, ledger):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            at_end.callback(path.unlink, missing_ok=True)
        copy_ledger(state, ledger)
        with LedgerCopy(ledger) as copy, part.open("wb") as tar:
            backup = Backup(Spool(state), copy, tar, mails=mails)
            yield backup
            backup.finish()
        sync(part)
        part.rename(file)
        sync(file.parent)


@contextmanager
def told(file: Path) -> Iterator[None]:
    """Errors of files and of tar in one line."""
    try:
        yield
    except OSError as error:
        raise WatcherError(f"{error.filename or file}: {error.strerror or error}") from error
