"""
Mails on their way out: entered with their recipients, counted, and marked before the moment that leaves a doubt.

A letter is a mail like any other, in a folder of its relay that no server has. Its recipients are pieces of work, so it
lives, is shown, retried and cleared away as all work is.
"""

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from watcher.model import Decision, Kind, Status, Work, identity
from watcher.posting import Cap, Posting
from watcher.store.database import Database
from watcher.store.moves import add, follow, move, settle

__all__ = ["TWICE", "Flight", "Letter", "Outgoing", "post", "tally"]

log = logging.getLogger(__name__)

OUTBOX = "(outbox)"  #: name of the folder
LAST = 20  #: letters to ourselves that are looked at
TWICE = "sent twice, and each time the link broke before the relay said whether it took it: the mail may have arrived"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as a sender needs it."""

    sender: str  #: of the envelope
    author: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Flight:
    """A letter to ourselves. Times are seconds since 1970."""

    sent_at: float  #: when it was posted
    status: str | None  #: of the work of sending it; None: that is cleared away
    back_at: float | None  #: when it came in as a mail; None: it has not


class Outgoing:
    """Verbs on letters. Each that changes something is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def instance(self) -> str:
        """Name of this ledger, the same for ever: our mail is known by it."""
        return str(self.database.read("SELECT value FROM meta WHERE name = 'instance'")[0][0])

    def post(self, posting: Posting, now: float) -> None:
        """Enter a mail that no handler asked for."""
        self.database.write(lambda db: post(db, posting, now))

    def letter(self, mail: int) -> Letter:
        row = self.database.read(
            "SELECT sender, author, message_id FROM letter JOIN mail ON mail.id = letter.mail WHERE mail = ?", (mail,)
        )[0]
        return Letter(**dict(row))

    def mark(self, works: Sequence[Work]) -> None:
        """
        All but the final dot is sent: should nothing be heard after it, the mail may have arrived.

        Durable before the dot goes out, so that an end of the process then leaves the same doubt as a cut link.
        """

        def change(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE work SET crashes = crashes + 1 WHERE id = ? AND status = 'running' AND attempts = ?",
                [(work.id, work.attempt) for work in works],
            )

        self.database.write(change)

    def stuck(self, author: str, since: float, now: float) -> list[str]:
        """Keys of letters of `author` that were not posted since then and have not been sent, or never will be."""
        rows = self.database.read(
            "SELECT DISTINCT mail.key FROM letter JOIN mail ON mail.id = letter.mail JOIN work ON work.mail = mail.id "
            "WHERE author = ? AND posted_at NOT BETWEEN ? AND ? AND mail.spooled AND work.kind = 'send' "
            "AND work.status IN ('dead', 'waiting') ORDER BY mail.id",
            (author, since, now),
        )
        return [row[0] for row in rows]

    def replace(self, key: str, reason: str, now: float) -> None:
        """What is not sent of this letter goes another way: it is not sent any more."""

        def change(db: sqlite3.Connection) -> None:
            rows = db.execute(
                "SELECT work.id FROM work JOIN mail ON mail.id = work.mail "
                "WHERE mail.key = ? AND work.kind = 'send' AND work.status IN ('waiting', 'dead')",
                (key,),
            ).fetchall()
            for row in rows:
                move(db, row["id"], Status.SKIPPED, now, reason=reason)
                follow(db, row["id"], now)

        self.database.write(change)

    def flights(self, relay: str, author: str, now: float) -> list[Flight]:
        """The last letters to ourselves of `author` through `relay`, the newest first; none that is dated later."""
        rows = self.database.read(
            "SELECT posted_at AS sent_at, work.status, back.stored_at AS back_at FROM mail "
            "JOIN folder ON folder.id = mail.folder AND folder.account = ? AND folder.name = ? "
            "JOIN letter ON letter.mail = mail.id AND author = ? "
            "LEFT JOIN work ON work.mail = mail.id LEFT JOIN mail AS back ON back.id = letter.about "
            "WHERE mail.received <= ? ORDER BY mail.received DESC LIMIT ?",
            (relay, OUTBOX, author, now, LAST),
        )
        return [Flight(**dict(row)) for row in rows]

    def came_back(self, key: str, author: str, mail: int) -> bool:
        """A mail that came in is the letter `key`, if that is one of `author`; whether it is."""

        def change(db: sqlite3.Connection) -> bool:
            letter = "SELECT id FROM mail WHERE key = ?"
            done = db.execute(
                f"UPDATE letter SET about = ? WHERE author = ? AND mail = ({letter})", (mail, author, key)
            )
            return done.rowcount > 0

        return self.database.write(change)

    def taken_between(self, relay: str, since: float, now: float) -> int:
        """For how many recipients a relay has taken mail since a time; not counting what a wrong clock dated later."""
        rows = self.database.read(
            "SELECT ifnull(sum(taken), 0) FROM letter JOIN mail ON mail.id = letter.mail "
            "WHERE taken_at > ? AND taken_at <= ? AND mail.account = ?",
            (since, now, relay),
        )
        number: int = rows[0][0]
        return number


def post(db: sqlite3.Connection, posting: Posting, now: float, about: int | None = None) -> None:
    """Enter a mail that is durable in the spool, with a piece of work for each recipient; one that is there stays."""
    known = db.execute("SELECT 1 FROM mail WHERE key = ?", (posting.key,)).fetchone()
    if known:
        return
    reached = next((cap for cap in posting.caps if is_reached(db, posting, cap, now)), None)
    mail = enter(db, posting, now)
    answers = "" if reached else posting.answers
    db.execute(
        "INSERT INTO letter (mail, author, sender, about, answers, posted_at) VALUES (?, ?, ?, ?, ?, ?)",
        (mail, posting.author, posting.sender, about, answers, now),
    )
    for recipient in posting.recipients:
        due = None if reached else now
        add(
            db,
            mail,
            Kind.SEND,
            now,
            chain="",
            step=0,
            name=posting.author,
            lane=posting.relay,
            target=recipient,
            due=due,
        )
    if reached:
        for row in db.execute("SELECT id FROM work WHERE mail = ?", (mail,)).fetchall():
            give_up(db, row["id"], reached, now)
        settle(db, mail, now)


def give_up(db: sqlite3.Connection, work: int, cap: Cap, now: float) -> None:
    """What is beyond a cap. An answer too many hurts nobody; another mail was wanted, so a person is to decide."""
    if cap.answers:
        move(db, work, Status.SKIPPED, now, reason=told(cap))
        return
    move(db, work, Status.RUNNING, now)
    move(db, work, Status.DEAD, now, reason=told(cap))
    log.error("outgoing mail %d: %s; see imap-watcher outbox show %d", work, told(cap), work)


def enter(db: sqlite3.Connection, posting: Posting, now: float) -> int:
    db.execute("INSERT OR IGNORE INTO folder (account, name) VALUES (?, ?)", (posting.relay, OUTBOX))
    (folder,) = db.execute("SELECT id FROM folder WHERE account = ? AND name = ?", (posting.relay, OUTBOX)).fetchone()
    (mail,) = db.execute(
        "INSERT INTO mail "
        "(key, folder, epoch, uid, account, content, body, digest, message_id, received, size, stored_at) "
        "VALUES (?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            posting.key,
            folder,
            posting.relay,
            identity("letter", posting.key),
            identity("letter", posting.key),
            posting.digest,
            posting.message_id,
            now,
            posting.size,
            now,
        ),
    ).fetchone()
    db.execute("UPDATE mail SET uid = id WHERE id = ?", (mail,))
    number: int = mail
    return number


def is_reached(db: sqlite3.Connection, posting: Posting, cap: Cap, now: float) -> bool:
    """Whether one more would be beyond the cap. What a wrong clock dated later than now does not count."""
    since = now - cap.within
    if cap.answers:
        query = (
            "SELECT count(*) FROM letter WHERE answers <> '' AND posted_at > ? AND posted_at <= ? "
            "AND (? OR answers = ?) AND (? OR author = ?)"
        )
        values: tuple[object, ...] = (since, now, not cap.peer, posting.answers, not cap.author, posting.author)
    else:  # by way of the folders, as these have an index by time; what was given up here does not count
        query = (
            "SELECT count(*) FROM folder JOIN mail ON mail.folder = folder.id AND received > ? AND received <= ? "
            "JOIN letter ON letter.mail = mail.id WHERE folder.name = ? AND answers = '' AND author = ? "
            "AND NOT EXISTS (SELECT 1 FROM work WHERE work.mail = mail.id AND work.reason = ?)"
        )
        values = (since, now, OUTBOX, posting.author, told(cap))
    (number,) = db.execute(query, values).fetchone()
    return bool(number >= cap.most)


def told(cap: Cap) -> str:
    what = "automatic answers" if cap.answers else "mails that answer nobody"
    whom = " to the same address" if cap.peer else " of this handler" if cap.author else ""
    return f"not sent: no more than {cap.most} {what}{whom} within {cap.within / 3600:.0f} h, against loops"


def tally(db: sqlite3.Connection, work: Work, decision: Decision, now: float) -> None:
    """Count how an attempt for a recipient has ended."""
    if decision.status is Status.DONE:
        db.execute("UPDATE letter SET taken = taken + 1, taken_at = ? WHERE mail = ?", (now, work.mail))
    if decision.crashed:
        db.execute("UPDATE letter SET doubts = doubts + 1 WHERE mail = ?", (work.mail,))
