"""
Erasure: forget what stands in a mail and about it, and still know that it was handled.

Of a mail that came in stay its place, its time, its size and the two hashes by which it would be known again; of one
that went out stays nothing. Its bytes leave the file only with `scrub`: a page of SQLite may keep what was moved to
another one.
"""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from watcher.model import Status
from watcher.store.database import Database, Row
from watcher.store.moves import IS_OPEN, follow, move

__all__ = ["Erasure", "Target", "Trace"]

TRACE = """
    SELECT mail.id AS mail, mail.key, mail.account, folder.name AS folder, mail.uid, mail.received,
    letter.mail IS NOT NULL AS letter,
    (SELECT count(*) FROM work WHERE work.mail = mail.id) AS jobs,
    (SELECT id FROM work WHERE work.mail = mail.id AND status = 'running') AS running
    FROM mail JOIN folder ON folder.id = mail.folder LEFT JOIN letter ON letter.mail = mail.id
"""

#: The mails that are meant, and the letters that came of them, as these may quote them.
MEANT = f"""
    WITH RECURSIVE meant (mail) AS (
        SELECT id FROM mail WHERE key IN (SELECT value FROM json_each(:own))
            OR :account IN ('', account) AND (key IN (SELECT value FROM json_each(:keys))
            OR :message_id <> '' AND message_id = :message_id
            OR id IN (SELECT mail FROM work WHERE kind = 'send'
                AND small(target) IN (SELECT value FROM json_each(:addresses))
                UNION SELECT mail FROM letter WHERE small(answers) IN (SELECT value FROM json_each(:addresses))))
        UNION SELECT letter.mail FROM letter JOIN meant ON letter.about = meant.mail)
    {TRACE} WHERE mail.id IN (SELECT mail FROM meant) ORDER BY mail.id
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be forgotten. What is empty names nothing; an empty account means all of them."""

    keys: Collection[str] = ()  #: of spool folders
    message_id: str = ""  #: with brackets
    addresses: Collection[str] = ()  #: in lower case; letters to them
    account: str = ""  #: or relay
    own: Collection[str] = ()  #: more keys, of letters of ours, whatever their relay


@dataclass(frozen=True, slots=True)
class Trace:
    """One mail that is meant, as a person may recognise it."""

    mail: int  #: row
    key: str
    account: str
    folder: str
    uid: int
    received: float  #: seconds since 1970
    letter: int  #: 1 for one of ours
    jobs: int
    running: int | None  #: job that works on it now


class Erasure:
    """Verbs of forgetting."""

    def __init__(self, database: Database, *, alone: bool = False) -> None:
        """`alone`: no daemon runs, so what is on record as running was cut off with the last one."""
        self.database = database
        self.alone = alone

    def find(self, target: Target) -> list[Trace]:
        """The mails that are meant, the oldest first."""
        return [self.trace_of(row) for row in self.database.read(MEANT, parameters(target))]

    def letters(self, author: str) -> list[str]:
        """The keys of what an author has had sent, as far as it is kept."""
        rows = self.database.read(
            "SELECT key FROM letter JOIN mail ON mail.id = letter.mail WHERE author = ? AND spooled = 1", (author,)
        )
        return [row["key"] for row in rows]

    def erase(self, target: Target, now: float) -> list[Trace]:
        """
        Forget them, and return them; but if any is being worked on, change nothing and return those that are.

        What waits is given up, so that what stands behind it in its line goes on.
        """

        def change(db: sqlite3.Connection) -> list[Trace]:
            traces = [self.trace_of(row) for row in db.execute(MEANT, parameters(target)).fetchall()]
            if busy := [trace for trace in traces if trace.running]:
                return busy
            for trace in traces:
                give_up(db, trace.mail, now)
            for trace in traces:
                (remove if trace.letter else blank)(db, trace.mail, now)
            return traces

        return self.database.write(change)

    def trace_of(self, row: Row) -> Trace:
        return Trace(**dict(row) | ({"running": None} if self.alone else {}))

    def scrub(self) -> None:
        """No byte of what was forgotten stays in the files. Raises as `Database.compact` does, and OSError."""
        path = self.database.path
        for copy in path.parent.glob(f"{path.name}.format-*"):  # from before an upgrade: it knows it still
            copy.unlink()
        self.database.compact()


def parameters(target: Target) -> dict[str, str]:
    return {
        "addresses": json.dumps(sorted(target.addresses)),
        "keys": json.dumps(sorted(target.keys)),
        "own": json.dumps(sorted(target.own)),
        "message_id": target.message_id,
        "account": target.account,
    }


def give_up(db: sqlite3.Connection, mail: int, now: float) -> None:
    """End what waits or was cut off, as if a person had dropped it; then its work and their histories go."""
    for row in db.execute(f"SELECT id FROM work WHERE mail = ? AND {IS_OPEN}", (mail,)).fetchall():
        move(db, row["id"], Status.SKIPPED, now)
        follow(db, row["id"], now)
    db.execute("DELETE FROM work WHERE mail = ?", (mail,))


def blank(db: sqlite3.Connection, mail: int, now: float) -> None:
    db.execute(
        "UPDATE mail SET message_id = '', digest = '', spooled = 0, dead = 0, settled_at = ? WHERE id = ?", (now, mail)
    )


def remove(db: sqlite3.Connection, mail: int, _now: float) -> None:
    db.execute("UPDATE letter SET about = NULL WHERE about = ?", (mail,))
    db.execute("DELETE FROM letter WHERE mail = ?", (mail,))
    db.execute("DELETE FROM mail WHERE id = ?", (mail,))
