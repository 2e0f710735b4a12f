"""
Every move of every piece of work, and what follows from it in the same transaction.

Rule 1: a status changes in `move` and nowhere else, by the table MOVES of model.py.
Rule 2: nothing here knows IMAP, processes, SMTP or the clock: what time it is comes in as `now`.
Rule 3: what follows the end of an attempt stands in `follow` and nowhere else, and is written in the same transaction.
Rule 4: work that stands in line is given its turn in `give_turn` and nowhere else. Of one line no two have it: the
index `work_turn` would refuse.
"""

import sqlite3

from watcher.model import MOVES, OPEN, Action, Kind, Outcome, Plan, Status, Verdict, Work
from watcher.store.database import Row

__all__ = [
    "AWAITS_TIME",
    "AWAITS_TURN",
    "IS_OPEN",
    "REPLAY",
    "THEN",
    "add",
    "bring",
    "follow",
    "give_turn",
    "move",
    "settle",
]

#: What may be asked of a row of work. The partial indexes of schema.sql hold the same words, by which SQLite finds
#: that they fit; in a subselect they speak of its own table.
IS_OPEN = "status IN ('waiting', 'running')"
AWAITS_TIME = "status = 'waiting' AND due IS NOT NULL"
AWAITS_TURN = "status = 'waiting' AND due IS NULL"

FRESH = 600.0  #: seconds after its arrival at the server in which a mail goes before the backlog
THEN = "then"  #: chain of the after-actions that wait for all handlers
ON_DEAD = "on_dead:"  #: and of those that wait for a dead handler of the chain named behind
REPLAY = "replay:"  #: chain of a job that a person wants done again, with its number; each is a chain of its own


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
    before, attempts, name, line = db.execute(
        "SELECT status, attempts, name, line FROM work WHERE id = ?", (work,)
    ).fetchone()
    if status not in MOVES[Status(before)]:
        raise AssertionError(f"work {work} can't go from {before} to {status}")
    claimed = status is Status.RUNNING
    db.execute(
        "UPDATE work SET status = ?, due = ?, reason = ?, boot = ?, changed_at = ?, attempts = attempts + ?, "
        "first_at = CASE WHEN ? THEN ifnull(first_at, ?) ELSE first_at END WHERE id = ?",
        (status, due, reason, boot, now, claimed, claimed, now, work),
    )
    db.execute(
        "INSERT INTO history (work, attempt, status, at, reason) VALUES (?, ?, ?, ?, ?)",
        (work, attempts + claimed, status, now, reason),
    )
    if line is not None and status not in OPEN:
        next_in_line(db, name, line, now)


def add(
    db: sqlite3.Connection,
    mail: int,
    kind: Kind,
    now: float,
    *,
    chain: str,
    step: int,
    name: str,
    lane: str,
    line: str | None = None,
    target: str = "",
    due: float | None = None,
) -> None:
    """A new piece of work; one that is there already stays as it is. What is for an old mail lets fresh ones pass."""
    db.execute(
        "INSERT OR IGNORE INTO work (mail, kind, chain, step, name, lane, line, target, due, changed_at, late) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT received < ? FROM mail WHERE id = ?))",
        (mail, kind, chain, step, name, lane, line, target, due, now, now - FRESH, mail),
    )


# --- what a success brings ------------------------------------------------------------------------------------------


def bring(db: sqlite3.Connection, work: Work, outcome: Outcome, now: float) -> None:
    """Enter what an attempt that succeeded asks for: the jobs of a mail taken apart, the wishes of a handler."""
    enqueue(db, work.mail, outcome.plan, now)
    for action in outcome.actions:
        add_action(db, work.mail, THEN, action, now)
    if outcome.verdict is Verdict.STOP:
        for other in later_steps(db, work.id):
            move(db, other, Status.SKIPPED, now, reason=f"{work.name} ended the chain")


def enqueue(db: sqlite3.Connection, mail: int, plan: Plan, now: float) -> None:
    """The jobs of a mail, and its after-actions, which wait for their turn."""
    steps: dict[str, int] = {}
    for step in plan.steps:
        number = steps.setdefault(step.chain, 0)
        steps[step.chain] += 1
        due = now if number == 0 and step.line is None else None
        add(
            db,
            mail,
            Kind.JOB,
            now,
            chain=step.chain,
            step=number,
            name=step.handler,
            lane=step.handler,
            line=step.line,
            due=due,
        )
    for action in plan.then:
        add_action(db, mail, THEN, action, now)
    for chain, action in plan.on_dead:
        add_action(db, mail, ON_DEAD + chain, action, now)


def add_action(db: sqlite3.Connection, mail: int, chain: str, action: Action, now: float) -> None:
    (account,) = db.execute("SELECT account FROM mail WHERE id = ?", (mail,)).fetchone()
    verb, target = action.verb, action.target
    add(db, mail, Kind.AFTER, now, chain=chain, step=verb.rank, name=verb, lane=account, target=target)


# --- what follows ---------------------------------------------------------------------------------------------------


def follow(db: sqlite3.Connection, work: int, now: float) -> None:
    """
    An attempt is over, or work was given up, whoever ended it: what had to wait for that gets its turn.

    It comes last in the transaction, when all that the attempt brings is entered.
    """
    mail, kind, chain, status = db.execute(
        "SELECT mail, kind, chain, status FROM work WHERE id = ?", (work,)
    ).fetchone()
    if kind == Kind.UNPACK:
        clear_way(db, mail, now)
    if kind == Kind.JOB:
        for other in later_steps(db, work)[:1]:
            give_turn(db, other, now)
        if status == Status.DEAD:
            release(db, mail, ON_DEAD + chain, now)
    settle(db, mail, now)


def later_steps(db: sqlite3.Connection, work: int) -> list[int]:
    """The jobs behind this one in its chain that wait, in order."""
    rows = db.execute(
        "SELECT later.id FROM work JOIN work AS later ON later.mail = work.mail AND later.kind = 'job' "
        "AND later.chain = work.chain AND later.step > work.step AND later.status = 'waiting' "
        "WHERE work.id = ? ORDER BY later.step",
        (work,),
    )
    return [row["id"] for row in rows]


def give_turn(db: sqlite3.Connection, work: int, now: float) -> None:
    """
    Let a job that waits for its turn fall due, if nothing is before it.

    Before it may be: a step of its chain that has not had its first attempt; in its line, a job of an earlier mail or
    one that has its turn; and for a job that stands in line, any earlier mail of which nobody knows yet whose it is.
    """
    db.execute(
        f"""
        UPDATE work SET due = ? WHERE id = ? AND {AWAITS_TURN}
        AND NOT EXISTS (SELECT 1 FROM work AS step WHERE step.mail = work.mail AND step.kind = 'job'
            AND step.chain = work.chain AND step.step < work.step
            AND (step.status, step.attempts) IN (VALUES ('waiting', 0), ('running', 1)))
        AND (line IS NULL OR NOT EXISTS (SELECT 1 FROM work AS other WHERE other.name = work.name
                AND other.line = work.line AND {IS_OPEN} AND ifnull(other.due, other.boot) IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM work AS earlier WHERE earlier.name = work.name
                AND earlier.line = work.line AND {IS_OPEN} AND earlier.mail < work.mail)
            AND NOT EXISTS (SELECT 1 FROM work AS unread WHERE unread.kind = 'unpack'
                AND {IS_OPEN} AND unread.mail < work.mail))
        """,
        (now, work),
    )


def next_in_line(db: sqlite3.Connection, name: str, line: str, now: float) -> None:
    """One has left the line."""
    row = db.execute(
        f"SELECT id FROM work WHERE name = ? AND line = ? AND {IS_OPEN} ORDER BY mail LIMIT 1",
        (name, line),
    ).fetchone()
    if row:
        give_turn(db, row["id"], now)


def clear_way(db: sqlite3.Connection, mail: int, now: float) -> None:
    """It is known now what is to be done with a mail: let go what stands in line for it and for the mails behind it."""
    rows = db.execute(
        f"SELECT id FROM work WHERE line IS NOT NULL AND {AWAITS_TURN} AND mail >= ? AND mail < "
        f"ifnull((SELECT min(mail) FROM work WHERE kind = 'unpack' AND {IS_OPEN}), 1 << 62) ORDER BY mail",
        (mail,),
    )
    for row in rows.fetchall():
        give_turn(db, row["id"], now)


def settle(db: sqlite3.Connection, mail: int, now: float) -> None:
    """Let the after-actions go once every handler has succeeded, and note when nothing is left to do."""
    handlers = count(db, mail, "kind <> 'after'")
    if not handlers["open"] and not handlers["dead"]:
        release(db, mail, THEN, now)
    chains = "SELECT DISTINCT chain FROM work WHERE mail = ? AND kind = 'after' AND chain <> ? AND due IS NOT NULL"
    for row in db.execute(chains, (mail, THEN)).fetchall():
        release(db, mail, row["chain"], now)
    left = count(db, mail, f"NOT (kind = 'after' AND {AWAITS_TURN})")
    settled = None if left["open"] else now
    db.execute("UPDATE mail SET settled_at = ?, dead = ? WHERE id = ?", (settled, left["dead"] > 0, mail))


def count(db: sqlite3.Connection, mail: int, which: str) -> Row:
    """How much of a mail's work is still open, and how much is dead."""
    row: Row = db.execute(
        f"SELECT count(*) FILTER (WHERE {IS_OPEN}) AS open, "
        f"count(*) FILTER (WHERE status = 'dead') AS dead FROM work WHERE mail = ? AND {which}",
        (mail,),
    ).fetchone()
    return row


def release(db: sqlite3.Connection, mail: int, chain: str, now: float) -> None:
    """Give the lowest unfinished step of a chain of after-actions its turn."""
    db.execute(
        f"UPDATE work SET due = ? WHERE mail = ? AND kind = 'after' AND chain = ? AND {AWAITS_TURN} "
        f"AND step = (SELECT min(step) FROM work WHERE mail = ? AND kind = 'after' AND chain = ? AND {IS_OPEN})",
        (now, mail, chain, mail, chain),
    )
