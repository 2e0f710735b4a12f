"""
The ledger: every move of every piece of work, in the order of its life.

Rule 1: every change of a status is in this file, by the table MOVES of model.py; the operator's own are in desk.py.
Rule 2: it knows no IMAP, no process, no SMTP and no clock: what time it is comes in as `now`.
Rule 3: what follows from an outcome is written in the same transaction as the outcome.
"""

import sqlite3
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from watcher.model import (
    MOVES,
    Action,
    Decision,
    Kind,
    Outcome,
    Place,
    Plan,
    Status,
    Verb,
    Verdict,
    Work,
)
from watcher.retry import interrupted_delay
from watcher.store.database import Database, Row

__all__ = ["Ledger", "settle"]

#: Flags first: a mail that was moved away can't be flagged any more.
RANK = {Verb.SEEN: 0, Verb.FLAG: 0, Verb.MOVE: 1, Verb.DELETE: 1}
THEN = "then"  #: chain of the after-actions that wait for all handlers
ON_DEAD = "on_dead:"  #: and of those that wait for a dead handler of the chain named behind

WORK = """
    work.id, work.kind, work.name, work.target, work.mail, mail.key, mail.account, folder.name AS folder,
    iif(mail.epoch = folder.epoch, folder.uidvalidity, -1) AS uidvalidity, mail.uid,
    mail.received, mail.digest, work.attempts, work.pardoned, work.crashes, work.first_at
"""

DUE = f"""
    SELECT {WORK} FROM work JOIN mail ON mail.id = work.mail JOIN folder ON folder.id = mail.folder
    WHERE kind = ? AND status = 'waiting' AND due <= ?
"""
OLDEST = "ORDER BY due, work.id LIMIT ?"


class Ledger:
    """Verbs on work. Each call is one durable transaction; `boot` names this run of the daemon."""

    def __init__(self, database: Database, boot: str) -> None:
        self.database = database
        self.boot = boot

    def recover(self, now: float) -> int:
        """At start: what an earlier run left half done goes back to waiting, its attempt counted; how many."""

        def change(db: sqlite3.Connection) -> int:
            rows = db.execute("SELECT id, attempts FROM work WHERE status = 'running' AND boot <> ?", (self.boot,))
            halves = rows.fetchall()
            for row in halves:
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
                works.append(as_work(row, now))
                left[row["name"]] = left.get(row["name"], room(row["name"])) - 1
            return works

        return self.database.write(change) if self.is_due(kind, now, without) else []

    def claim_folder(self, kind: Kind, now: float, limit: int) -> list[Work]:
        """Take the longest due work of a kind, `limit` pieces at most, all of the folder of the first."""

        def change(db: sqlite3.Connection) -> list[Work]:
            rows = db.execute(f"{DUE} {OLDEST}", (kind, now, limit)).fetchall()
            rows = [row for row in rows if (row["account"], row["folder"]) == (rows[0]["account"], rows[0]["folder"])]
            for row in rows:
                move(db, row["id"], Status.RUNNING, now, boot=self.boot)
            return [as_work(row, now) for row in rows]

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
                "UPDATE work SET output = ?, crashes = crashes + ?, pardoned = pardoned + ? WHERE id = ?",
                (outcome.output, decision.crashed, decision.free, work.id),
            )
            if decision.status is Status.DONE and work.kind is Kind.UNPACK:
                enqueue(db, work.mail, outcome.plan, now)
            if work.kind is Kind.JOB:
                follow_job(db, work, outcome, decision.status, now)
            settle(db, work.mail, now)
            return True

        return self.database.write(change)


# --- moves ----------------------------------------------------------------------------------------------------------


def move(
    db: sqlite3.Connection,
    work: int,
    status: Status,
    now: float,
    *,
    due: float | None = None,
    reason: str = "",
    boot: str | None = None,
) -> None:
    """The one place where a status changes. A move that MOVES does not know is a bug."""
    before = Status(db.execute("SELECT status FROM work WHERE id = ?", (work,)).fetchone()[0])
    if status not in MOVES[before]:
        raise AssertionError(f"work {work} can't go from {before} to {status}")
    claimed = status is Status.RUNNING
    db.execute(
        "UPDATE work SET status = ?, due = ?, reason = ?, boot = ?, changed_at = ?, attempts = attempts + ?, "
        "first_at = CASE WHEN ? THEN ifnull(first_at, ?) ELSE first_at END WHERE id = ?",
        (status, due, reason, boot, now, claimed, claimed, now, work),
    )
    db.execute(
        "INSERT INTO history (work, attempt, status, at, reason) SELECT id, attempts, ?, ?, ? FROM work WHERE id = ?",
        (status, now, reason, work),
    )


def add(
    db: sqlite3.Connection,
    mail: int,
    kind: Kind,
    now: float,
    *,
    chain: str,
    step: int,
    name: str,
    target: str = "",
    due: float | None = None,
) -> None:
    """A new piece of work; one that is there already stays as it is."""
    db.execute(
        "INSERT OR IGNORE INTO work (mail, kind, chain, step, name, target, due, changed_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (mail, kind, chain, step, name, target, due, now),
    )


# --- what follows ---------------------------------------------------------------------------------------------------


def enqueue(db: sqlite3.Connection, mail: int, plan: Plan, now: float) -> None:
    """The jobs of a mail, and its after-actions, which wait for their turn."""
    steps: dict[str, int] = {}
    for step in plan.steps:
        number = steps.setdefault(step.chain, 0)
        steps[step.chain] += 1
        due = now if number == 0 else None
        add(db, mail, Kind.JOB, now, chain=step.chain, step=number, name=step.handler, due=due)
    for action in plan.then:
        add_action(db, mail, THEN, action, now)
    for chain, action in plan.on_dead:
        add_action(db, mail, ON_DEAD + chain, action, now)


def add_action(db: sqlite3.Connection, mail: int, chain: str, action: Action, now: float) -> None:
    add(db, mail, Kind.AFTER, now, chain=chain, step=RANK[action.verb], name=action.verb, target=action.target)


def follow_job(db: sqlite3.Connection, work: Work, outcome: Outcome, status: Status, now: float) -> None:
    """A handler has ended an attempt: the next one of its chain may start, unless it said that none shall."""
    chain, step = db.execute("SELECT chain, step FROM work WHERE id = ?", (work.id,)).fetchone()
    later = db.execute(
        "SELECT id FROM work WHERE mail = ? AND kind = 'job' AND chain = ? AND step > ? AND status = 'waiting' "
        "ORDER BY step",
        (work.mail, chain, step),
    ).fetchall()
    if status is Status.DONE:
        for action in outcome.actions:
            add_action(db, work.mail, THEN, action, now)
    if status is Status.DONE and outcome.verdict is Verdict.STOP:
        for other in later:
            move(db, other["id"], Status.SKIPPED, now, reason=f"{work.name} ended the chain")
    elif later:
        db.execute("UPDATE work SET due = ifnull(due, ?) WHERE id = ?", (now, later[0]["id"]))
    if status is Status.DEAD:
        release(db, work.mail, ON_DEAD + chain, now)


def settle(db: sqlite3.Connection, mail: int, now: float) -> None:
    """Let the after-actions go once every handler has succeeded, and note when nothing is left to do."""
    handlers = count(db, mail, "kind <> 'after'")
    if not handlers["open"] and not handlers["dead"]:
        release(db, mail, THEN, now)
    chains = "SELECT DISTINCT chain FROM work WHERE mail = ? AND kind = 'after' AND chain <> ? AND due IS NOT NULL"
    for row in db.execute(chains, (mail, THEN)).fetchall():
        release(db, mail, row["chain"], now)
    left = count(db, mail, "(status <> 'waiting' OR due IS NOT NULL)")
    settled = None if left["open"] else now
    db.execute("UPDATE mail SET settled_at = ?, dead = ? WHERE id = ?", (settled, left["dead"] > 0, mail))


def count(db: sqlite3.Connection, mail: int, which: str) -> Row:
    """How much of a mail's work is still open, and how much is dead."""
    row: Row = db.execute(
        "SELECT count(*) FILTER (WHERE status IN ('waiting', 'running')) AS open, "
        f"count(*) FILTER (WHERE status = 'dead') AS dead FROM work WHERE mail = ? AND {which}",
        (mail,),
    ).fetchone()
    return row


def release(db: sqlite3.Connection, mail: int, chain: str, now: float) -> None:
    """Give the lowest unfinished step of a chain of after-actions its turn."""
    db.execute(
        "UPDATE work SET due = ? WHERE mail = ? AND kind = 'after' AND chain = ? "
        "AND status = 'waiting' AND due IS NULL AND step = (SELECT min(step) FROM work "
        "WHERE mail = ? AND kind = 'after' AND chain = ? AND status IN ('waiting', 'running'))",
        (now, mail, chain, mail, chain),
    )


def marks(values: Collection[object]) -> str:
    """As many question marks as there are values."""
    return ", ".join("?" * len(values))


def as_work(row: Row, now: float) -> Work:
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
    )
