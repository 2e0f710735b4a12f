"""
What one run of a handler is given on disk: its mails, a directory of its own, a file for its actions, its secrets.

All of it bears the tag of the run in its name, so that what a killed daemon left is known and cleared away.
"""

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.config.handlers import HandlerSettings
from watcher.jobs.own_user import Owner, open_way, owner_named
from watcher.jobs.program import CannotStart
from watcher.jobs.strays import Strays
from watcher.jobs.vault import Vault
from watcher.model import MailFolder
from watcher.store.removal import discard

__all__ = ["SECRETS", "Estate", "Premises", "hand_over", "seal"]

log = logging.getLogger(__name__)

#: Where secrets lie: in memory, so that no disk keeps them.
MEMORY = Path("/dev/shm")  # noqa: S108 - each gets a directory of its own, made safely
SECRETS = "imap-watcher-"  #: begins the names of their directories


@dataclass(frozen=True, slots=True)
class Premises:
    """What one run is given."""

    folders: tuple[MailFolder, ...]
    batch: Path | None  #: the file that lists them, if it has `batch`
    temporary: Path
    secrets: Path | None  #: a directory with one file for each, if there are any


class Estate:
    """Makes premises in the directory `scratch`, and clears them away. Safe to use from many threads."""

    def __init__(self, scratch: Path, strays: Strays) -> None:
        self._scratch = scratch
        self._strays = strays
        self._vault = Vault()
        self._memory = MEMORY if os.access(MEMORY, os.W_OK) else scratch

    @contextmanager
    def premises(
        self, tag: str, folders: Sequence[MailFolder], state: Path, settings: HandlerSettings
    ) -> Iterator[Premises]:
        """What a run is given, for as long as it lasts; `state` is its handler's. Raises CannotStart."""
        temporary = self._scratch / tag
        made = [temporary, temporary.with_suffix(".actions")]
        owner = owner_named(settings.user or "") if settings.isolation == "user" else None
        batch = None
        try:
            temporary.mkdir(mode=0o700)
            if settings.isolation in {"sandbox", "user"}:
                made[1].touch(mode=0o600)  # it stands in a place where nothing new can be made
            if owner:
                made.append(temporary.with_suffix(".mail"))
                folders = _copies(folders, made[-1], owner)
            if settings.batch is not None or len(folders) > 1:
                batch = temporary.with_suffix(".batch")
                made.append(batch)
                batch.write_text("".join(f"{folder.path}\n" for folder in folders))
            if owner:
                for path in (*made, state):
                    os.chown(path, owner.uid, owner.gid)
                    open_way(path, owner, self._scratch.parent)
            secrets = self._lay_out(tag, settings, owner)
            made += [secrets] if secrets else []
        except OSError as error:
            self._remove(made)
            raise CannotStart(f"no directory for its temporary files: {error.strerror}: {error.filename}") from error
        except BaseException:
            self._remove(made)
            raise
        try:
            yield Premises(tuple(folders), batch, temporary, secrets)
        finally:
            self._remove(made)

    def clear(self) -> None:
        """Remove what belongs to no run that is alive."""
        for place in {self._scratch, self._memory}:
            for path in place.iterdir():
                tag = path.name.removeprefix(SECRETS).partition(".")[0]
                if self._strays.knows(tag) and not self._strays.alive(tag):
                    try:
                        discard(path)
                    except OSError as error:
                        log.warning("can't remove %s: %s", path, error.strerror)

    def _lay_out(self, tag: str, settings: HandlerSettings, owner: Owner | None) -> Path | None:
        if not settings.secrets:
            return None
        values = {name: self._vault.fetch(source) for name, source in settings.secrets.items()}
        place = Path(tempfile.mkdtemp(prefix=f"{SECRETS}{tag}.", dir=self._memory))
        for name, secret in values.items():
            file = place / name
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400), "w") as out:
                out.write(secret.reveal())
            if owner:
                os.chown(file, owner.uid, owner.gid)
        if owner:
            os.chown(place, owner.uid, owner.gid)
        return place

    def _remove(self, made: list[Path]) -> None:
        for path in made:
            with suppress(OSError):  # a stray may still write there: it is tried again when that is gone
                discard(path)


def seal(folder: MailFolder) -> None:
    """Take the right to write from a mail folder, once: the next handler is to find the same mail. Raises OSError."""
    if not folder.path.stat().st_mode & stat.S_IWUSR:
        return
    for place in (folder.attachments, folder.path):  # the files in them were made read-only
        if not place.is_symlink() and place.is_dir():  # else there are none, or a handler has put a link there
            place.chmod(0o500)


def _copies(folders: Sequence[MailFolder], to: Path, owner: Owner) -> list[MailFolder]:
    """What `owner` is given in place of these mail folders, under their names."""
    to.mkdir(mode=0o700)
    for folder in folders:
        hand_over(folder.path, to / folder.path.name, owner)
    return [MailFolder(to / folder.path.name) for folder in folders]


def hand_over(folder: Path, to: Path, owner: Owner | None = None) -> None:
    """Put a mail folder into another place as well: linked, or for another user copied and given. Raises OSError."""
    shutil.copytree(folder, to, symlinks=True, copy_function=shutil.copyfile if owner else os.link)
    if owner is None:
        return
    for path, _, files in os.walk(to, topdown=False):
        for name in (*files, "."):
            part = Path(path, name)
            if not part.is_symlink():
                part.chmod(0o500 if stat.S_ISDIR(part.stat().st_mode) else 0o400)
                os.chown(part, owner.uid, owner.gid)
