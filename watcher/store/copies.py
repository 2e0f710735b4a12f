"""Copies of a ledger, taken while a daemon writes it. A copy is one file, and nobody else has it open."""

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from watcher.store.faults import unopened
from watcher.store.opening import connect, find_flaw, sync

__all__ = ["LedgerCopy", "copy_ledger"]


def copy_ledger(state: Path, to: Path) -> None:
    """Write the ledger of `state` as of this moment to a file that is there, empty. Raises WatcherError."""
    path = state / "ledger.db"
    try:
        source, target = connect(f"file:{quote(str(path))}?mode=ro"), connect(f"file:{quote(str(to))}?mode=rw")
    except sqlite3.Error as error:
        raise unopened(path, error) from error
    try:
        source.backup(target)  # all of it within one reading transaction, which keeps no writer waiting
        target.execute("PRAGMA journal_mode = DELETE")  # so that it is one file
    except sqlite3.Error as error:
        raise unopened(to, error) from error
    finally:
        source.close()
        target.close()


class LedgerCopy:
    """A context manager. Raises WatcherError, also where SQLite can't go on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.database = connect(f"file:{quote(str(path))}?mode=rw")
        except sqlite3.Error as error:
            raise unopened(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()
        if isinstance(error, sqlite3.Error):
            raise unopened(self.path, error) from error

    def flaw(self) -> str:
        """Why no daemon could start from it, in words that go on behind its name; "" if one can."""
        return find_flaw(self.database)

    @property
    def instance(self) -> str:
        return str(self.database.execute("SELECT value FROM meta WHERE name = 'instance'").fetchone()[0])

    def digests(self) -> Mapping[str, str]:
        """Of each mail that should lie in the spool: its key, and the sha256 of its bytes, hex."""
        return dict(map(tuple, self.database.execute("SELECT key, digest FROM mail WHERE spooled = 1 ORDER BY id")))

    def forget(self, keys: Collection[str], *, only_settled: bool = False) -> None:
        """These mails are not in the spool: like any that was cleared away they stay known, without their work."""
        self.database.execute("BEGIN")
        for key in keys:
            (mail, settled) = self.database.execute("SELECT id, settled_at FROM mail WHERE key = ?", (key,)).fetchone()
            if settled is not None or not only_settled:
                self.database.execute("DELETE FROM work WHERE mail = ?", (mail,))
                self.database.execute(
                    "UPDATE mail SET spooled = 0, settled_at = ifnull(settled_at, stored_at) WHERE id = ?", (mail,)
                )
        self.database.execute("COMMIT")

    def expect_raw_mails(self) -> None:
        """Only these are in the spool: what was made of them is to be made anew."""
        self.database.execute("UPDATE mail SET unpacked_boot = NULL")

    def sync(self) -> None:
        """Make it durable."""
        sync(self.path)
