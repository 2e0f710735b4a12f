"""The ledger: work is claimed, finished, recovered, each verb one durable transaction; `moves.py` makes the moves."""

import sqlite3
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from watcher.model import Decision, Kind, Outcome, Place, Status, Work
from watcher.retry import interrupted_delay
from watcher.store.database import Database, Row
from watcher.store.moves import enqueue, follow_job, move, settle

__all__ = ["Ledger"]

WORK = """
    work.id, work.kind, work.name, work.target, work.mail, mail.key, mail.account, folder.name AS folder,
    iif(mail.epoch = folder.epoch, folder.uidvalidity, -1) AS uidvalidity, mail.uid,
    mail.received, mail.digest, work.attempts, work.pardoned, work.crashes, work.first_at,
    mail.unpacked_boot
"""

DUE = f"""
    SELECT {WORK} FROM work JOIN mail ON mail.id = work.mail JOIN folder ON folder.id = mail.folder
    WHERE kind = ? AND status = 'waiting' AND due <= ?
"""
OLDEST = "ORDER BY due, work.id LIMIT ?"


class Ledger:
    """Verbs on work; `boot` names this run of the daemon, `machine` this run of the kernel."""

    def __init__(self, database: Database, boot: str, machine: str) -> None:
        self.database = database
        self.boot = boot
        self.machine = machine

    def recover(self, now: float, most: Callable[[Kind, str], int]) -> int:
        """
        At start: what an earlier run left half done goes back to waiting, its attempt counted; how many.

        `most`: attempts of a kind and name after which it is given up, since it may be what ends the daemon.
        """

        def change(db: sqlite3.Connection) -> int:
            query = "SELECT id, mail, kind, name, attempts, pardoned FROM work WHERE status = 'running' AND boot <> ?"
            halves = db.execute(query, (self.boot,)).fetchall()
            for row in halves:
                if row["attempts"] - row["pardoned"] >= most(Kind(row["kind"]), row["name"]):
                    reason = f"gave up after {row['attempts']} attempts: the daemon ended while it ran, each time"
                    move(db, row["id"], Status.DEAD, now, reason=reason)
                    settle(db, row["mail"], now)
                    continue
                due = now + interrupted_delay(row["attempts"])
                move(db, row["id"], Status.WAITING, now, due=due, reason="interrupted: the daemon ended while it ran")
            return len(halves)

        return self.database.write(change)

    def claim(
        self,
        kind: Kind,
        now: float,
        *,
        limit: int = 1,
        without: Collection[str] = (),
        room: Callable[[str], int] = lambda _: 1 << 30,
    ) -> list[Work]:
        """
        Take the longest due work of a kind, `limit` pieces at most; the attempt of each is counted.

        None of the names in `without`, and of each other name no more than it has `room` for.
        """

        def change(db: sqlite3.Connection) -> list[Work]:
            works: list[Work] = []
            left: dict[str, int] = dict.fromkeys(without, 0)
            while len(works) < limit:
                full = [name for name, number in left.items() if number <= 0]
                row = db.execute(
                    f"{DUE} AND work.name NOT IN ({marks(full)}) {OLDEST}", (kind, now, *full, 1)
                ).fetchone()
                if row is None:
                    break
                move(db, row["id"], Status.RUNNING, now, boot=self.boot)
                works.append(self.as_work(row, now))
                left[row["name"]] = left.get(row["name"], room(row["name"])) - 1
            return works

        return self.database.write(change) if self.is_due(kind, now, without) else []

    def claim_folder(self, kind: Kind, now: float, limit: int, without: Collection[str] = ()) -> list[Work]:
        """
        Take the longest due work of a kind, `limit` pieces at most, all of the folder of the first; none of the
        accounts in `without`.
        """

        def change(db: sqlite3.Connection) -> list[Work]:
            query = f"{DUE} AND mail.account NOT IN ({marks(without)}) {OLDEST}"
            rows = db.execute(query, (kind, now, *without, limit)).fetchall()
            rows = [row for row in rows if (row["account"], row["folder"]) == (rows[0]["account"], rows[0]["folder"])]
            for row in rows:
                move(db, row["id"], Status.RUNNING, now, boot=self.boot)
            return [self.as_work(row, now) for row in rows]

        return self.database.write(change) if self.is_due(kind, now) else []

    def is_due(self, kind: Kind, now: float, without: Collection[str] = ()) -> bool:
        due = self.next_due(kind, without)
        return due is not None and due <= now

    def next_due(self, kind: Kind, without: Collection[str] = ()) -> float | None:
        """When the next work of a kind, but not of these names, falls due; None if none waits for a time."""
        rows = self.database.read(
            "SELECT due FROM work WHERE kind = ? AND status = 'waiting' AND due IS NOT NULL "
            f"AND name NOT IN ({marks(without)}) ORDER BY due LIMIT 1",
            (kind, *without),
        )
        return rows[0]["due"] if rows else None

    def next_due_account(self, kind: Kind, without: Collection[str] = ()) -> float | None:
        """The same, but of no mail of these accounts."""
        rows = self.database.read(
            "SELECT due FROM work JOIN mail ON mail.id = work.mail WHERE kind = ? AND status = 'waiting' "
            f"AND due IS NOT NULL AND mail.account NOT IN ({marks(without)}) ORDER BY due LIMIT 1",
            (kind, *without),
        )
        return rows[0]["due"] if rows else None

    def unpacked(self, mail: int) -> None:
        """The parts of a mail were made anew since the machine started."""
        self.database.write(
            lambda db: db.execute("UPDATE mail SET unpacked_boot = ? WHERE id = ?", (self.machine, mail)).rowcount
        )

    def backlog(self, kind: Kind) -> int:
        """How much work of a kind waits for a time."""
        query = "SELECT count(*) FROM work WHERE kind = ? AND status = 'waiting' AND due IS NOT NULL"
        number: int = self.database.read(query, (kind,))[0][0]
        return number

    def finish(self, work: Work, outcome: Outcome, decision: Decision, now: float) -> bool:
        """
        Write down what came of an attempt, and all that follows from it.

        Accepted only for the attempt that is running (fencing); False if it is not this one.
        """

        def change(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT status, attempts FROM work WHERE id = ?", (work.id,)).fetchone()
            if row is None or row["status"] != Status.RUNNING or row["attempts"] != work.attempt:
                return False
            move(db, work.id, decision.status, now, due=decision.due, reason=decision.reason)
            db.execute(
                "UPDATE work SET output = ?, crashes = crashes + ?, pardoned = pardoned + ?, "
                "first_at = iif(attempts = pardoned + ?, NULL, first_at) WHERE id = ?",
                (outcome.output, decision.crashed, decision.free, decision.free, work.id),
            )
            if decision.status is Status.DONE and work.kind is Kind.UNPACK:
                enqueue(db, work.mail, outcome.plan, now)
                db.execute("UPDATE mail SET unpacked_boot = ? WHERE id = ?", (self.machine, work.mail))
            if work.kind is Kind.JOB:
                follow_job(db, work, outcome, decision.status, now)
            settle(db, work.mail, now)
            return True

        return self.database.write(change)

    def as_work(self, row: Row, now: float) -> Work:
        return Work(
            id=row["id"],
            kind=Kind(row["kind"]),
            name=row["name"],
            target=row["target"],
            mail=row["mail"],
            key=row["key"],
            place=Place(row["account"], row["folder"], row["uidvalidity"], row["uid"]),
            received=datetime.fromtimestamp(row["received"], UTC),
            digest=row["digest"],
            attempt=row["attempts"] + 1,
            tries=row["attempts"] + 1 - row["pardoned"],
            crashes=row["crashes"],
            first_at=row["first_at"] or now,
            unpacked=row["unpacked_boot"] == self.machine,
        )


def marks(values: Collection[object]) -> str:
    """As many question marks as there are values."""
    return ", ".join("?" * len(values))
