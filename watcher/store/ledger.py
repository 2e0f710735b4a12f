"""The ledger: work is claimed, finished, recovered, each verb one durable transaction; `moves.py` makes the moves."""

import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from watcher.model import Decision, Kind, Outcome, Place, Status, Work
from watcher.retry import cut_off
from watcher.store.database import Database, Pending, Row
from watcher.store.moves import AWAITS_TIME, IS_OPEN, REPLAY, bring, follow, move
from watcher.store.outgoing import TWICE, post, tally

__all__ = ["Lane", "Ledger"]

WORK = """
    work.id, work.kind, work.chain, work.name, work.target, work.mail, mail.key, mail.account, folder.name AS folder,
    iif(mail.epoch = folder.epoch, folder.uidvalidity, -1) AS uidvalidity, mail.uid,
    mail.received, mail.digest, work.attempts, work.pardoned, work.crashes, work.first_at,
    mail.unpacked_boot
"""

DUE = f"""
    SELECT {WORK} FROM work JOIN mail ON mail.id = work.mail JOIN folder ON folder.id = mail.folder
    WHERE kind = ? AND lane = ? AND late IN (0, 1) AND {AWAITS_TIME} AND due <= ?
    ORDER BY late, due, work.id LIMIT ?
"""

#: From lane to lane by the index, however much waits in each.
LANES = f"""
    WITH RECURSIVE lane (name) AS (
        SELECT min(lane) FROM work WHERE kind = :kind AND {AWAITS_TIME}
        UNION ALL
        SELECT (SELECT min(lane) FROM work WHERE kind = :kind AND {AWAITS_TIME} AND work.lane > lane.name)
        FROM lane WHERE name IS NOT NULL)
    SELECT name, (SELECT min(due) FROM (
        SELECT min(due) AS due FROM work WHERE kind = :kind AND work.lane = lane.name AND late = 0 AND {AWAITS_TIME}
        UNION ALL
        SELECT min(due) FROM work WHERE kind = :kind AND work.lane = lane.name AND late = 1 AND {AWAITS_TIME})) AS due
    FROM lane WHERE name IS NOT NULL ORDER BY due
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """Work of one kind that is limited and held as one: of a handler, of an account."""

    name: str
    due: float  #: when the next of it falls due, seconds since 1970


class Ledger:
    """Verbs on work; `boot` names this run of the daemon, `machine` this run of the kernel."""

    def __init__(self, database: Database, boot: str, machine: str) -> None:
        self.database = database
        self.boot = boot
        self.machine = machine

    @property
    def waits(self) -> bool:
        """Whether every change waits at the moment until the disk takes it."""
        return bool(self.database.trouble)

    def keep_reserve(self) -> None:
        """Keep some room back for a full disk, as soon as there is plenty again."""
        self.database.reserve.keep_back()

    def recover(self, now: float, most: Callable[[Kind, str], int]) -> int:
        """
        At start: what an earlier run left half done goes back to waiting, its attempt counted; how many.

        `most`: attempts of a kind and name after which it is given up, since it may be what ends the daemon.
        """

        def change(db: sqlite3.Connection) -> int:
            query = "SELECT * FROM work WHERE status = 'running' AND boot <> ?"
            halves = db.execute(query, (self.boot,)).fetchall()
            ahead = f"{AWAITS_TIME} AND changed_at > :now"  # the clock was set back since
            db.execute(f"UPDATE work SET due = :now + due - changed_at, changed_at = :now WHERE {ahead}", {"now": now})
            for row in halves:
                kind = Kind(row["kind"])
                decision = cut_off(row["attempts"] - row["pardoned"], most(kind, row["name"]), now)
                if kind is Kind.SEND and row["crashes"] > 1:
                    decision = Decision(Status.DEAD, reason=TWICE)
                move(db, row["id"], decision.status, now, due=decision.due, reason=decision.reason)
                follow(db, row["id"], now)
            return len(halves)

        return self.database.write(change)

    def clock_set(self, by: float) -> None:
        """The clock was set by so many seconds, back if negative: all that waits for a time waits as long as before."""

        def change(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE work SET due = due + :by, first_at = first_at + :by, changed_at = changed_at + :by "
                f"WHERE {IS_OPEN}",
                {"by": by},
            )
            db.execute("UPDATE place SET due = due + ? WHERE due IS NOT NULL", (by,))
            db.execute("UPDATE mail SET settled_at = settled_at + ? WHERE spooled = 1", (by,))

        self.database.write(change)

    def lanes(self, kind: Kind) -> list[Lane]:
        """In which lanes work of a kind waits for a time, what is due first in front."""
        return [Lane(**dict(row)) for row in self.database.read(LANES, {"kind": kind})]

    def claim(self, kind: Kind, now: float, room: Mapping[str, int]) -> list[Work]:
        """Take work that is due from these lanes, of each so much at most, fresh mails first; attempts are counted."""

        def change(db: sqlite3.Connection) -> list[Work]:
            return [work for lane, most in room.items() for work in self.take(db, kind, lane, now, most)]

        return self.database.write(change)

    def claim_lot(self, kind: Kind, now: float, lane: str, most: int, *, one_folder: bool = False) -> list[Work]:
        """
        Take the longest due work of a lane to be done together, `most` pieces at most, if asked all of one folder.

        What has crashed goes alone: it may be to blame for what happened to the others.
        """

        def together(row: Row, first: Row) -> bool:
            same = not one_folder or (row["account"], row["folder"]) == (first["account"], first["folder"])
            return row is first or (same and not row["crashes"] and not first["crashes"])

        return self.database.write(lambda db: self.take(db, kind, lane, now, most, together))

    def take(  # noqa: PLR0917 - called from here alone
        self,
        db: sqlite3.Connection,
        kind: Kind,
        lane: str,
        now: float,
        most: int,
        together: Callable[[Row, Row], bool] = lambda *_: True,
    ) -> list[Work]:
        rows = db.execute(DUE, (kind, lane, now, most)).fetchall()
        taken = [row for row in rows if together(row, rows[0])]
        for row in taken:
            move(db, row["id"], Status.RUNNING, now, boot=self.boot)
        return [self.as_work(row, now) for row in taken]

    def due(self, kind: Kind, lane: str, now: float, most: int) -> int:
        """How much work of a lane is due, counted up to `most`."""
        which = f"kind = ? AND lane = ? AND late IN (0, 1) AND {AWAITS_TIME} AND due <= ?"
        return len(self.database.read(f"SELECT 1 FROM work WHERE {which} LIMIT ?", (kind, lane, now, most)))

    def unpacked(self, mail: int) -> None:
        """The parts of a mail were made anew since the machine started."""
        self.database.write(lambda db: self.note_unpacked(db, mail))

    def waiting(self, kind: Kind) -> bool:
        """Whether any work of a kind waits for a time."""
        query = f"SELECT 1 FROM work WHERE kind = ? AND {AWAITS_TIME} LIMIT 1"
        return bool(self.database.read(query, (kind,)))

    def backlog(self, kind: Kind) -> int:
        """How much work of a kind waits for a time."""
        query = f"SELECT count(*) FROM work WHERE kind = ? AND {AWAITS_TIME}"
        number: int = self.database.read(query, (kind,))[0][0]
        return number

    def finish(self, work: Work, outcome: Outcome, decision: Decision, now: float) -> bool:
        """
        Write down what came of an attempt, and all that follows from it.

        Accepted only for the attempt that is running (fencing); False if it is not this one.
        """
        return self.database.write(lambda db: self.end(db, work, outcome, decision, now))

    def finish_soon(self, work: Work, outcome: Outcome, decision: Decision, now: float) -> Future[bool]:
        """The same, without waiting for it: many of these share one commit."""
        return self.database.submit(lambda db: self.end(db, work, outcome, decision, now))

    def relay(
        self, work: Work, outcome: Outcome, decision: Decision, now: float, lane: str | None
    ) -> Pending[tuple[bool, list[Work]]]:
        """To `finish`, and at once to take the next piece of this kind in `lane` (None: in none), if one is due."""

        def change(db: sqlite3.Connection) -> tuple[bool, list[Work]]:
            accepted = self.end(db, work, outcome, decision, now)
            return accepted, [] if lane is None else self.take(db, work.kind, lane, now, 1)

        return self.database.propose(change)

    def end(self, db: sqlite3.Connection, work: Work, outcome: Outcome, decision: Decision, now: float) -> bool:
        row = db.execute("SELECT status, attempts FROM work WHERE id = ?", (work.id,)).fetchone()
        if row is None or row["status"] != Status.RUNNING or row["attempts"] != work.attempt:
            return False
        move(db, work.id, decision.status, now, due=decision.due, reason=decision.reason)
        db.execute(
            "UPDATE work SET output = ?, crashes = ?, pardoned = pardoned + ?, "
            "first_at = iif(attempts = pardoned + ?, NULL, first_at) WHERE id = ?",
            (outcome.output, work.crashes + decision.crashed, decision.free, decision.free, work.id),
        )
        if decision.status is Status.DONE:
            bring(db, work, outcome, now)
            for posting in outcome.postings:
                post(db, posting, now, about=work.mail)
            if work.kind is Kind.UNPACK:
                self.note_unpacked(db, work.mail)
        if work.kind is Kind.SEND:
            tally(db, work, decision, now)
        follow(db, work.id, now)
        return True

    def note_unpacked(self, db: sqlite3.Connection, mail: int) -> None:
        db.execute("UPDATE mail SET unpacked_boot = ? WHERE id = ?", (self.machine, mail))

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
            replay=row["chain"].startswith(REPLAY),
        )
