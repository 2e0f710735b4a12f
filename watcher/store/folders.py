"""
How far each folder has been read, and RECEIVE: new mails and the cursor in one transaction.

A mail is known by its place (folder, epoch, UID) and by its content, so that the same mail in another place, after a
move or in a re-made mailbox, is handled once.
"""

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import fields, replace

from watcher.cursor import Anchor, Arrival, Blank, Cursor, Likeness
from watcher.errors import Superseded
from watcher.model import Kind, identity
from watcher.store.database import Database, Pending
from watcher.store.moves import add

__all__ = ["Folders"]

CURSOR = "id, account, name AS folder, " + ", ".join(field.name for field in fields(Cursor)[3:])


class Folders:
    """Verbs on folders. Each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def take(self, account: str, folder: str) -> Cursor:
        """A new link takes the folder over: commits of an older one are refused from now on."""

        def change(db: sqlite3.Connection) -> Cursor:
            db.execute("INSERT OR IGNORE INTO folder (account, name) VALUES (?, ?)", (account, folder))
            db.execute(
                "UPDATE folder SET generation = generation + 1 WHERE account = ? AND name = ?", (account, folder)
            )
            query = f"SELECT {CURSOR} FROM folder WHERE account = ? AND name = ?"
            return Cursor(**dict(db.execute(query, (account, folder)).fetchone()))

        return self.database.write(change)

    def anchor(self, cursor: Cursor, anchor: Anchor, now: float) -> Cursor:
        """Begin a new epoch of the folder: its UIDs mean something else from here on. Raises Superseded."""
        fresh = replace(
            cursor,
            epoch=cursor.epoch + 1,
            uidvalidity=anchor.uidvalidity,
            floor_uid=anchor.floor_uid,
            reset_uid=anchor.reset_uid,
            low_uid=anchor.floor_uid,
            next_uid=anchor.floor_uid,
            started_at=now if cursor.started_at is None else cursor.started_at,
            resets=0 if cursor.started_at is None else cursor.resets + 1,
        )

        def change(db: sqlite3.Connection) -> Cursor:
            fence(db, cursor)
            save(db, fresh)
            here = (cursor.id, fresh.epoch)
            db.executemany(
                "INSERT INTO place (folder, epoch, uid, note) VALUES (?, ?, ?, 'old')",
                [(*here, uid) for uid in anchor.old],
            )
            for uid, mail in anchor.same.items():
                db.execute("INSERT INTO place (folder, epoch, uid, mail) VALUES (?, ?, ?, ?)", (*here, uid, mail))
                relocate(db, mail, fresh, uid)
            return fresh

        return self.database.write(change)

    def steady(self, cursor: Cursor) -> Cursor:
        """The folder was found as it had been left: earlier new epochs don't count any more. Raises Superseded."""
        return self.advance(replace(cursor, resets=0))

    def advance(self, cursor: Cursor) -> Cursor:
        """Keep the cursor. Raises Superseded."""

        def change(db: sqlite3.Connection) -> Cursor:
            fence(db, cursor)
            save(db, cursor)
            return cursor

        return self.database.write(change)

    def looked_at(self, cursor: Cursor, low: int, now: float) -> set[int]:
        """The UIDs from `low` on that need no fetch now."""
        rows = self.database.read(
            "SELECT uid FROM place WHERE folder = ? AND epoch = ? AND uid >= ? AND (due IS NULL OR due > ?)",
            (cursor.id, cursor.epoch, low, now),
        )
        return {row["uid"] for row in rows}

    def settled(self, cursor: Cursor, low: int) -> set[int]:
        """The UIDs from `low` on that are handled for good."""
        rows = self.database.read(
            "SELECT uid FROM place WHERE folder = ? AND epoch = ? AND uid >= ? AND due IS NULL",
            (cursor.id, cursor.epoch, low),
        )
        return {row["uid"] for row in rows}

    def overdue(self, cursor: Cursor, now: float) -> dict[int, str]:
        """The UIDs that have brought nothing, and whose time has come, in the order of it; each with the reason."""
        rows = self.database.read(
            "SELECT uid, note FROM place WHERE folder = ? AND epoch = ? AND due <= ? ORDER BY due",
            (cursor.id, cursor.epoch, now),
        )
        return {row["uid"]: row["note"] for row in rows}

    def next_due(self, cursor: Cursor, now: float) -> float:
        """When, after now, the next of the UIDs that have brought nothing is to be fetched again; inf: never."""
        rows = self.database.read(
            "SELECT min(due) AS due FROM place WHERE folder = ? AND epoch = ? AND due > ?",
            (cursor.id, cursor.epoch, now),
        )
        return math.inf if rows[0]["due"] is None else rows[0]["due"]

    def tries(self, cursor: Cursor, uid: int) -> int:
        """How many fetches of this UID have brought nothing so far."""
        rows = self.database.read(
            "SELECT tries FROM place WHERE folder = ? AND epoch = ? AND uid = ?", (cursor.id, cursor.epoch, uid)
        )
        return rows[0]["tries"] if rows else 0

    def likenesses(self, cursor: Cursor) -> list[Likeness]:
        """All mails ever received in this folder, with what they can be recognised by."""
        rows = self.database.read(
            "SELECT id AS mail, message_id, received, size FROM mail WHERE folder = ?", (cursor.id,)
        )
        return [Likeness(**dict(row)) for row in rows]

    def receive(
        self, cursor: Cursor, arrivals: Sequence[Arrival], blanks: Sequence[Blank], now: float
    ) -> list[Arrival]:
        """
        RECEIVE: enter mails whose bytes are durable, and the cursor, in one transaction. Raises Superseded.

        Returns the arrivals that were known already under another place; their spool folders are not needed.
        """
        return self.receiving(cursor, arrivals, blanks, now).result()

    def receiving(
        self, cursor: Cursor, arrivals: Sequence[Arrival], blanks: Sequence[Blank], now: float
    ) -> Pending[list[Arrival]]:
        """The same for who has more to do in that commit."""

        def change(db: sqlite3.Connection) -> list[Arrival]:
            fence(db, cursor)
            doubles = [arrival for arrival in arrivals if not enter(db, cursor, arrival, now)]
            for blank in blanks:
                db.execute(
                    "INSERT INTO place (folder, epoch, uid, note, due, tries) VALUES (?, ?, ?, ?, ?, 1) "
                    "ON CONFLICT DO UPDATE SET note = excluded.note, due = excluded.due, tries = tries + 1",
                    (cursor.id, cursor.epoch, blank.uid, blank.note, blank.due),
                )
            save(db, cursor)
            return doubles

        return self.database.propose(change)


def fence(db: sqlite3.Connection, cursor: Cursor) -> None:
    (generation,) = db.execute("SELECT generation FROM folder WHERE id = ?", (cursor.id,)).fetchone()
    if generation != cursor.generation:
        raise Superseded(f"account {cursor.account}, folder {cursor.folder}: a newer link has taken over")


def save(db: sqlite3.Connection, cursor: Cursor) -> None:
    db.execute(
        "UPDATE folder SET epoch = ?, uidvalidity = ?, floor_uid = ?, reset_uid = ?, low_uid = ?, next_uid = ?, "
        "started_at = ?, resets = ? WHERE id = ?",
        (
            cursor.epoch,
            cursor.uidvalidity,
            cursor.floor_uid,
            cursor.reset_uid,
            cursor.low_uid,
            cursor.next_uid,
            cursor.started_at,
            cursor.resets,
            cursor.id,
        ),
    )


def enter(db: sqlite3.Connection, cursor: Cursor, arrival: Arrival, now: float) -> bool:
    """
    One arrival: a new mail with its first piece of work, or a known one in a new place. False if what was fetched is
    not needed: it is known under another key.
    """
    uid = arrival.place.uid
    place = (cursor.id, cursor.epoch, uid)
    here = db.execute(
        "SELECT mail.key FROM place JOIN mail ON mail.id = place.mail "
        "WHERE place.folder = ? AND place.epoch = ? AND place.uid = ?",
        place,
    ).fetchone()
    if here:
        return bool(here["key"] == arrival.key)  # fetched once more, it lies in the very folder that is needed
    query = "SELECT id, folder, epoch FROM mail WHERE account = ? AND "
    known = db.execute(query + "content = ?", (cursor.account, arrival.content)).fetchone()
    if known is None and uid < cursor.reset_uid:
        known = db.execute(
            query + "body = ? AND folder = ? AND epoch < ?", (cursor.account, arrival.body, cursor.id, cursor.epoch)
        ).fetchone()
    content = arrival.content
    if known and not arrival.message_id and (known["folder"], known["epoch"]) == (cursor.id, cursor.epoch):
        known, content = None, identity(content, cursor.epoch, uid)  # two UIDs, and nothing says that they are one mail
    mail = known["id"] if known else insert(db, cursor, arrival, content, now)
    db.execute(
        "INSERT INTO place (folder, epoch, uid, mail) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET mail = excluded.mail, note = '', due = NULL",
        (cursor.id, cursor.epoch, uid, mail),
    )
    if known and known["folder"] == cursor.id and known["epoch"] < cursor.epoch:
        relocate(db, mail, cursor, uid)
    return known is None


def insert(db: sqlite3.Connection, cursor: Cursor, arrival: Arrival, content: str, now: float) -> int:
    mail = db.execute(
        "INSERT INTO mail "
        "(key, folder, epoch, uid, account, content, body, digest, message_id, received, size, stored_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            arrival.key,
            cursor.id,
            cursor.epoch,
            arrival.place.uid,
            cursor.account,
            content,
            arrival.body,
            arrival.digest,
            arrival.message_id,
            arrival.received.timestamp(),
            arrival.size,
            now,
        ),
    ).fetchone()["id"]
    add(db, mail, Kind.UNPACK, now, chain="", step=0, name="", lane="", due=now)
    number: int = mail
    return number


def relocate(db: sqlite3.Connection, mail: int, cursor: Cursor, uid: int) -> None:
    """After-actions are to find the mail where it lies now."""
    db.execute("UPDATE mail SET epoch = ?, uid = ? WHERE id = ? AND folder = ?", (cursor.epoch, uid, mail, cursor.id))
