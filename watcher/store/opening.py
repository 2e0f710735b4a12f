"""The file of the ledger: made, looked over, brought up to date, opened. Raises as `Database` does."""

import importlib.resources
import logging
import os
import sqlite3
import uuid
from contextlib import ExitStack, closing
from pathlib import Path

from watcher.errors import DatabaseRefused, StorageFailed
from watcher.store.faults import storage, unopened
from watcher.store.migrations import VERSION, format_of, known_migrations, migrate

__all__ = ["connect", "find_flaw", "open_ledger", "sync"]

log = logging.getLogger(__name__)

APPLICATION_ID = 0x494D5057  #: "IMPW"


def open_ledger(path: Path) -> sqlite3.Connection:
    """The one connection that writes, to a ledger that is made if there has never been one."""
    marker = path.with_name("instance")
    if not path.exists():
        create(path, marker)
    return open_checked(path, marker)


def create(path: Path, marker: Path) -> None:
    """Make the database under another name first, so that a crash leaves none or a whole one."""
    if marker.exists():
        raise DatabaseRefused(
            f"{path} is missing, but this state directory was in use: restore it from a backup, "
            f"or remove {marker} to begin anew (mail may then be handled again)"
        )
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    try:
        fill(fresh)
    except sqlite3.Error as error:
        raise unopened(fresh, error) from error
    sync(fresh)
    fresh.rename(path)
    sync(path.parent)


def fill(fresh: Path) -> None:
    schema = importlib.resources.files("watcher.store").joinpath("schema.sql").read_text("utf-8")
    with closing(connect(f"file:{fresh}?mode=rwc")) as database:
        database.execute("PRAGMA synchronous = OFF")  # it is synced as a whole
        database.executescript(schema)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {VERSION}")
        rows = [("instance", str(uuid.uuid4())), ("clean", "1")]
        database.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def open_checked(path: Path, marker: Path) -> sqlite3.Connection:
    if path.stat().st_size == 0:
        raise DatabaseRefused(f"{path} is empty: restore it from a backup (without it all mail would run again)")
    try:
        with closing(connect(f"file:{path}?mode=ro")) as database:  # so that what is refused stays as it is
            flaw = find_flaw(database)
        if flaw:
            raise DatabaseRefused(f"{path} {flaw}")
        with ExitStack() as unless_right:
            database = unless_right.enter_context(closing(connect(f"file:{path}?mode=rw")))
            database.execute("PRAGMA temp_store = MEMORY")  # another disk, that of /tmp, is not to matter
            if database.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":  # all that is told of a failure
                raise StorageFailed(f"{path} can't have a write-ahead log: the disk fails or is full, or can't do that")
            database.execute("PRAGMA synchronous = FULL")
            bring_up(path, database)
            database.execute("UPDATE meta SET value = '0' WHERE name = 'clean'")
            sync(path.parent)  # the name of the log is as dear as its bytes, but SQLite ignores what its own sync says
            keep_marker(path, marker, database.execute("SELECT value FROM meta WHERE name = 'instance'").fetchone()[0])
            unless_right.pop_all()
    except sqlite3.Error as error:
        raise unopened(path, error) from error
    return database


def bring_up(path: Path, database: sqlite3.Connection) -> None:
    """An older ledger becomes one of this format. A copy of what it was stays, for who must go back."""
    before = format_of(database)
    if before == VERSION:
        return
    copy, fresh = path.with_name(f"{path.name}.format-{before}"), path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    database.execute("VACUUM INTO ?", (str(fresh),))
    sync(fresh)
    fresh.rename(copy)
    sync(copy.parent)
    migrate(database, known_migrations())
    log.warning("%s was brought from format %d to %d; as it was it lies in %s", path, before, VERSION, copy)


def keep_marker(path: Path, marker: Path, instance: str) -> None:
    """The file that proves, should the database vanish, that there was one. An empty one is a crash's."""
    found = marker.read_text("ascii", "replace").strip() if marker.exists() else ""
    if not found:
        fresh = marker.with_suffix(".new")
        with storage(f"{marker}"):
            fresh.write_text(instance + "\n", "ascii")
            sync(fresh)
            fresh.rename(marker)
            sync(marker.parent)
    elif found != instance:
        raise DatabaseRefused(
            f"{path} does not belong to this state directory ({marker} names another one): "
            f"put the right one back, or remove {marker} if the change is wanted"
        )


def find_flaw(database: sqlite3.Connection) -> str:
    """Why this database may not be used, or ""; the long check only after an unclean end."""
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return "is a database of another program: move it away"
    if (version := format_of(database)) > VERSION:
        return (
            f"was written by a newer imap-watcher (format {version}, this one knows up to {VERSION}): install that one "
            "again, or go back to the copy from before the upgrade, as docs/operating.md tells"
        )
    if database.execute("SELECT value FROM meta WHERE name = 'clean'").fetchone()[0] == "1":
        return ""
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    return "" if found == "ok" else f"is damaged ({found}): restore it from a backup; the files are kept as they are"


def connect(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    database.row_factory = sqlite3.Row
    database.create_function("small", 1, str.lower, deterministic=True)  # that of SQLite knows ASCII alone
    database.execute("PRAGMA foreign_keys = ON")
    return database


def sync(path: Path) -> None:
    """Make a file, or the names in a directory, durable. Raises OSError, which must not be retried."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
