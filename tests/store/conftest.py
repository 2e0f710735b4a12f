"""A ledger on a real file, and mails to put into it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.cursor import Anchor, Arrival, Cursor
from watcher.model import Decision, Kind, Outcome, Place, Plan, Verdict, Work
from watcher.retry import RetryPolicy, decide
from watcher.store.database import Database
from watcher.store.desk import Desk, Filter
from watcher.store.folders import Folders
from watcher.store.ledger import Ledger

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def arrival(uid: int, *, account: str = "a", folder: str = "INBOX", **other) -> Arrival:
    """A mail whose identity is its UID, if nothing else is said."""
    given = {
        "key": f"{account}-{folder}-{uid}",
        "received": NOON,
        "size": 100,
        "message_id": f"<{uid}@example.com>",
        "digest": f"digest {uid}",
        "body_digest": f"body {uid}",
    }
    return Arrival(place=Place(account, folder, 7, uid), **{**given, **other})


@dataclass
class Books:
    """All of the store on one state directory."""

    state: Path
    boot: str = "first"
    machine: str = "up"

    def __post_init__(self) -> None:
        self.database = Database(self.state)
        self.ledger = Ledger(self.database, self.boot, self.machine)
        self.folders = Folders(self.database)
        self.desk = Desk(self.database)

    def open(self, account: str = "a", folder: str = "INBOX") -> Cursor:
        cursor = self.folders.take(account, folder)
        return cursor if cursor.epoch else self.folders.anchor(cursor, Anchor(7, 1), 0.0)

    def receive(self, *arrivals: Arrival, now: float = 1.0) -> list[Arrival]:
        place = arrivals[0].place
        cursor = self.open(place.account, place.folder)
        moved = replace(cursor, next_uid=max(a.place.uid for a in arrivals) + 1)
        return self.folders.receive(moved, arrivals, [], now)

    def claim(self, kind: Kind, now: float = 10.0) -> Work:
        (work,) = self.claim_all(kind, now, most=1)
        return work

    def claim_all(self, kind: Kind, now: float = 10.0, most: int = 100) -> list[Work]:
        """Of the lane that is due first."""
        lanes = self.ledger.lanes(kind)[:1]
        return self.ledger.claim(kind, now, {lane.name: most for lane in lanes})

    def end(self, work: Work, outcome: Outcome, now: float = 20.0) -> Decision:
        decision = decide(outcome, work, RetryPolicy(jitter=0.0), now)
        assert self.ledger.finish(work, outcome, decision, now)
        return decision

    def route(self, plan: Plan, uid: int = 1) -> None:
        """A mail comes in and is taken apart; the rules want this."""
        self.receive(arrival(uid))
        self.end(self.claim(Kind.UNPACK), Outcome(Verdict.DONE, plan=plan), 5.0)

    def states(self, kind: str | None = None) -> dict[str, str]:
        """Name and target -> status, with * where it waits for its turn."""
        entries = sorted(self.desk.entries(Filter(kind=kind)), key=lambda entry: entry.id)
        return {
            " ".join(filter(None, (e.name or e.kind, e.target))): e.status
            + ("*" if e.status == "waiting" and e.due is None else "")
            for e in entries
        }


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    opened = Books(tmp_path)
    yield opened
    opened.database.close()
