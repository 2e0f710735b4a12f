"""The file that holds the tokens of one account: never half written, never without the last good ones."""

import fcntl
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from watcher.config.files import read_regular
from watcher.config.oauth.grant import Grant
from watcher.errors import LoginNeeded, SecretUnavailable, StorageFailed

__all__ = ["TokenFile"]

#: Bytes set aside before a server is asked.
ROOM = 64 << 10

#: Bytes that are read of it; an answer is limited too.
LARGEST = 1 << 20

#: Bytes of a file name that leave room for what we add to it; file systems take 255.
LONGEST = 200


@dataclass(frozen=True, slots=True)
class TokenFile:
    """`<state>/tokens/ACCOUNT.json`, mode 0600. Read at any time; written only by who holds the lock beside it."""

    path: Path

    @classmethod
    def of(cls, state: Path, account: str) -> "TokenFile":
        """The one of `account` in the state directory."""
        long = len(account.encode()) > LONGEST
        return cls(state / "tokens" / f"{sha256(account.encode()).hexdigest() if long else account}.json")

    def read(self) -> Grant | None:
        """What is kept, None if nothing is. SecretUnavailable, or LoginNeeded if the file is damaged."""
        try:
            content, found = read_regular(self.path, LARGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SecretUnavailable(f"the token file {self.path} can't be read: {error.strerror}") from error
        if found.st_mode & 0o077:
            mend = f"chmod 600 {shlex.quote(str(self.path))}"
            raise SecretUnavailable(f"others may use the token file {self.path}: {mend}")
        try:
            return Grant.from_json(content)
        except ValueError as error:
            raise LoginNeeded(f"the token file {self.path} is damaged: {error}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes meanwhile, be it a thread or a process; makes the directory if it is not there."""
        with _prepared(self.path):
            self._make_folder()
            lock = self._create(self.path.with_suffix(".lock"), 0)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # closing alone would leave it to a child forked meanwhile
            os.close(lock)

    @contextmanager
    def draft(self) -> Iterator[Callable[[Grant], None]]:
        """
        Gives what saves a grant durably, with room for it set aside: a full disk shows before a token is spent.

        SecretUnavailable if there is no room; StorageFailed if saving fails all the same. To be used under the lock.
        """
        draft = self.path.with_suffix(".new")
        with _prepared(self.path):
            draft.unlink(missing_ok=True)  # left by one who was killed
            file = self._create(draft, os.O_EXCL)
        try:
            with _prepared(self.path):
                os.posix_fallocate(file, 0, ROOM)
            yield lambda grant: self._save(file, draft, grant)
        finally:
            os.close(file)
            draft.unlink(missing_ok=True)  # it is not there if it was saved

    def _save(self, file: int, draft: Path, grant: Grant) -> None:
        content = grant.to_json().encode("ascii")
        try:
            with open(file, "wb", closefd=False) as writer:
                writer.write(content)
                writer.truncate()
            os.fsync(file)
            draft.rename(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StorageFailed(f"the token file {self.path} can't be written: {error.strerror}") from error

    def _make_folder(self) -> None:
        folder = self.path.parent
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            self._hand_over(folder)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)

    def _create(self, path: Path, flags: int) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
        self._hand_over(file)
        return file

    def _hand_over(self, what: int | Path) -> None:
        """What root makes on behalf of the daemon belongs to whom the state directory belongs to."""
        if os.geteuid() == 0:
            owner = self.path.parent.parent.stat()
            os.chown(what, owner.st_uid, owner.st_gid)


@contextmanager
def _prepared(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SecretUnavailable(f"the token file {path} can't be written: {error.strerror}") from error
