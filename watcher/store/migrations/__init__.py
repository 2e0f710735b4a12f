"""
From an older format of the ledger to this one.

Format N is what `schema.sql` was in that version; the file `N.sql` here makes it of format N-1. A change of
`schema.sql` after a release needs a file here, VERSION one higher, and the schema as it was in tests/store/formats/.
"""

import importlib.resources
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from watcher.errors import DatabaseRefused
from watcher.store.faults import passing

__all__ = ["VERSION", "Migration", "format_of", "known_migrations", "migrate"]

VERSION = 1  #: the format that this program writes, in user_version


@dataclass(frozen=True, slots=True)
class Migration:
    """One step."""

    to: int  #: the format it makes of the one before
    script: str  #: statements without a transaction of their own


def known_migrations() -> tuple[Migration, ...]:
    """All steps up to this format, in order."""
    files = importlib.resources.files(__package__)
    steps = range(2, VERSION + 1)
    return tuple(Migration(to, files.joinpath(f"{to}.sql").read_text("utf-8")) for to in steps)


def format_of(database: sqlite3.Connection) -> int:
    """In which format it is."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def migrate(database: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """
    Bring it to the last format of `migrations`, in one transaction. Raises DatabaseRefused if a step does not fit what
    is there, and then nothing has changed; sqlite3.Error if the disk is full.
    """
    before = format_of(database)
    steps = [step for step in migrations if step.to > before]
    if not steps:
        return
    aim = steps[-1].to
    # Tables may have to be made anew, to which others refer (sqlite.org/lang_altertable.html, section 7).
    database.execute("PRAGMA foreign_keys = OFF")
    script = "\n".join(step.script for step in steps)
    try:
        database.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {aim};")
        if broken := database.execute("PRAGMA foreign_key_check").fetchone():
            raise sqlite3.IntegrityError(f"row {broken[1]} of {broken[0]} would refer to nothing")
        database.execute("COMMIT")
    except sqlite3.Error as error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        if passing(error):
            raise
        raise DatabaseRefused(
            f"the ledger can't be brought from format {before} to {aim} ({error}) and is as it was: go back to the "
            "imap-watcher from before, and report this"
        ) from error
    finally:
        database.execute("PRAGMA foreign_keys = ON")
