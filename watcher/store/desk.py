"""
The operator's desk: look at work, bring dead work back, drop it, and clear away what is long finished.

What it changes obeys the same table of moves as the ledger.
"""

import sqlite3
from dataclasses import dataclass

from watcher.errors import WatcherError
from watcher.model import Kind, Status
from watcher.store.database import Database
from watcher.store.moves import REPLAY, THEN, add, follow, give_turn, move, settle

__all__ = ["Attempt", "Desk", "Entry", "Filter", "Newest", "NotPossible"]

ENTRY = """
    work.id, work.kind, work.chain, work.name, work.target, work.status, work.due, work.attempts, work.crashes,
    work.reason, work.changed_at, work.output, mail.key, mail.account, folder.name AS folder, mail.uid,
    mail.message_id, mail.size, mail.received, mail.spooled
    FROM work JOIN mail ON mail.id = work.mail JOIN folder ON folder.id = mail.folder
"""
#: A mail that was there already when its folder was first watched has waited for us since then only.
NEWEST = """
    SELECT folder.account, folder.name AS folder, mail.received,
    (SELECT max(changed_at) FROM work WHERE work.mail = mail.id AND kind = 'job' AND status = 'done')
        - max(mail.received, ifnull(folder.started_at, 0)) AS lag
    FROM folder JOIN mail ON mail.id = (SELECT id FROM mail WHERE folder = folder.id ORDER BY received DESC LIMIT 1)
"""
ROOM = 500  #: mails cleared away in one transaction


class NotPossible(WatcherError):
    """What the operator asked for does not fit the state of the work; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which work a person wants to see; None lets all pass."""

    status: str | None = None
    account: str | None = None  #: of the mail; of one that goes out, the relay
    handler: str | None = None
    kind: str | None = None
    limit: int = 100  #: at most so many


ALL = Filter()


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of work as a person sees it. Times are seconds since 1970."""

    id: int
    kind: str
    chain: str
    name: str
    target: str
    status: str
    due: float | None
    attempts: int
    crashes: int
    reason: str
    changed_at: float
    output: str
    key: str
    account: str
    folder: str
    uid: int
    message_id: str
    size: int
    received: float
    spooled: int  #: 1 while the mail's folder is kept


@dataclass(frozen=True, slots=True)
class Attempt:
    """One move in the history of a piece of work."""

    attempt: int
    status: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Newest:
    """The mail of a folder that was received last."""

    received: float  #: INTERNALDATE, seconds since 1970
    lag: float | None  #: seconds from then until its last handler had succeeded; None: none has, or it is cleared away


class Desk:
    """Verbs of the operator."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def trouble(self) -> str:
        """Why nothing can be written down at the moment, so that all waits; or ""."""
        return self.database.trouble

    def entries(self, wanted: Filter = ALL) -> list[Entry]:
        """Newest first, without what they printed."""
        columns = {
            "work.status": wanted.status,
            "mail.account": wanted.account,
            "work.name": wanted.handler,
            "work.kind": wanted.kind,
        }
        given = {name: value for name, value in columns.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        quiet = ENTRY.replace("work.output", "'' AS output")  # of each it may be 64 KiB
        rows = self.database.read(
            f"SELECT {quiet} WHERE {where} ORDER BY work.changed_at DESC, work.id DESC LIMIT ?",
            (*given.values(), wanted.limit),
        )
        return [Entry(**dict(row)) for row in rows]

    def show(self, work: int) -> tuple[Entry, list[Attempt]]:
        """One piece of work and its history. Raises NotPossible if there is none of this number."""
        rows = self.database.read(f"SELECT {ENTRY} WHERE work.id = ?", (work,))
        if not rows:
            raise NotPossible(f"there is no job {work}")
        moves = self.database.read(
            "SELECT attempt, status, at, reason FROM history WHERE work = ? ORDER BY rowid", (work,)
        )
        return Entry(**dict(rows[0])), [Attempt(**dict(row)) for row in moves]

    def counts(self) -> dict[str, dict[str, int]]:
        """Of each kind, of each status, how many."""
        found: dict[str, dict[str, int]] = {}
        for row in self.database.read("SELECT kind, status, count(*) AS n FROM work GROUP BY kind, status"):
            found.setdefault(row["kind"], {})[row["status"]] = row["n"]
        return found

    def newest(self) -> dict[tuple[str, str], Newest]:
        """The newest mail that is known of each account and folder."""
        rows = self.database.read(NEWEST)
        return {(row["account"], row["folder"]): Newest(row["received"], row["lag"]) for row in rows}

    def retry(self, work: int, now: float) -> None:
        """Bring dead work back as if it had never been tried; what waits for a time is due now. Raises NotPossible."""

        def change(db: sqlite3.Connection) -> None:
            entry = self.present(db, work)
            if entry.status == Status.WAITING and entry.due is not None:
                db.execute("UPDATE work SET due = min(due, ?) WHERE id = ?", (now, work))
                return
            if entry.status != Status.DEAD:
                raise NotPossible(f"job {work} is {entry.status}; only dead ones and those on hold can be retried")
            if not entry.spooled:
                raise NotPossible(f"job {work}: its mail is no longer kept (keep_dead has passed)")
            (line,) = db.execute("SELECT line FROM work WHERE id = ?", (work,)).fetchone()
            move(db, work, Status.WAITING, now, due=now if line is None else None, reason="retried by hand")
            db.execute("UPDATE work SET pardoned = attempts, crashes = 0, first_at = NULL WHERE id = ?", (work,))
            give_turn(db, work, now)
            settle(db, mail_of(db, work), now)

        self.database.write(change)

    def again(self, work: int, now: float) -> int:
        """
        Have a job that is done done again, as another job, so that what is recorded stays; the number of that one.

        Nothing else of its mail is done again. Raises NotPossible.
        """

        def change(db: sqlite3.Connection) -> int:
            entry = self.present(db, work)
            if entry.kind != Kind.JOB or entry.status != Status.DONE:
                raise NotPossible(f"job {work} ({entry.kind}) is {entry.status}; only done jobs can be done again")
            if not entry.spooled:
                raise NotPossible(f"job {work}: its mail is no longer kept (keep_done has passed)")
            lane, line, mail = db.execute("SELECT lane, line, mail FROM work WHERE id = ?", (work,)).fetchone()
            chain = f"{REPLAY}{db.execute('SELECT count(*) FROM work WHERE mail = ?', (mail,)).fetchone()[0]}"
            add(db, mail, Kind.JOB, now, chain=chain, step=0, name=entry.name, lane=lane, line=line)
            (made,) = db.execute("SELECT id FROM work WHERE mail = ? AND chain = ?", (mail, chain)).fetchone()
            give_turn(db, made, now)
            settle(db, mail, now)
            return int(made)

        return self.database.write(change)

    def drop(self, work: int, now: float) -> None:
        """Give up waiting or dead work for good; nothing changes on the server for its mail. Raises NotPossible."""

        def change(db: sqlite3.Connection) -> None:
            entry = self.present(db, work)
            if entry.status not in {Status.DEAD, Status.WAITING}:
                raise NotPossible(f"job {work} is {entry.status}; only dead and waiting ones can be dropped")
            move(db, work, Status.SKIPPED, now, reason="dropped by hand")
            if entry.kind != Kind.AFTER:
                then = "SELECT id FROM work WHERE mail = ? AND kind = 'after' AND chain = ? AND status = 'waiting'"
                for row in db.execute(then, (mail_of(db, work), THEN)).fetchall():
                    move(db, row["id"], Status.SKIPPED, now, reason=f"job {work} was dropped")
            follow(db, work, now)

        self.database.write(change)

    @staticmethod
    def present(db: sqlite3.Connection, work: int) -> Entry:
        row = db.execute(f"SELECT {ENTRY} WHERE work.id = ?", (work,)).fetchone()
        if row is None:
            raise NotPossible(f"there is no job {work}")
        return Entry(**dict(row))

    def keys(self) -> set[str]:
        """Names of all spool folders that are still needed."""
        return {row["key"] for row in self.database.read("SELECT key FROM mail WHERE spooled = 1")}

    def clear(self, done_before: float, dead_before: float) -> list[str]:
        """
        Forget the work of mails that were settled before these times; returns the spool folders to remove.

        The mails themselves stay known, so that they are never handled twice.
        """
        old = (
            "SELECT id, key FROM mail WHERE spooled = 1 AND settled_at IS NOT NULL "
            "AND settled_at < iif(dead, ?, ?) ORDER BY settled_at LIMIT ?"
        )
        if not self.database.read(old, (dead_before, done_before, ROOM)):
            return []

        def change(db: sqlite3.Connection) -> list[str]:
            mails = db.execute(old, (dead_before, done_before, ROOM)).fetchall()
            for mail in mails:
                db.execute("DELETE FROM work WHERE mail = ?", (mail["id"],))
                db.execute("UPDATE mail SET spooled = 0 WHERE id = ?", (mail["id"],))
            return [mail["key"] for mail in mails]

        return self.database.write(change)


def mail_of(db: sqlite3.Connection, work: int) -> int:
    (mail,) = db.execute("SELECT mail FROM work WHERE id = ?", (work,)).fetchone()
    return int(mail)
