"""
The store at work, as a program: mails come in, are taken apart and handled, and each is answered by a letter.

    python -m tests.system.bookkeeper STATE COUNT

On standard output it tells, a line each, what it was told is durable: `received 7`, `answered 7`. The lines go out by
writev, which nothing else here uses, so that faults can be injected into all other calls. `losses` looks afterwards.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from watcher.cursor import Anchor, Arrival, Cursor
from watcher.errors import SpoolFull, StorageFailed
from watcher.model import Kind, Outcome, Place, Plan, Step, Verdict, Work, identity
from watcher.outbox.scribe import store
from watcher.posting import Posting
from watcher.retry import RetryPolicy, decide
from watcher.store.database import Database
from watcher.store.desk import Desk
from watcher.store.folders import Folders
from watcher.store.ledger import Ledger
from watcher.store.lock import hold_state
from watcher.store.spool import Spool

__all__ = ["FAILED", "losses"]

FAILED = 74  #: exit code when the disk has failed, as the command has it
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOST = 5  #: mails that come together
LONG = 1e6  #: seconds that pass between two looks: whatever waits for a time is due


def raw(number: int) -> bytes:
    """Mail `number`: some small, some of several blocks."""
    return b"Message-ID: <%d@example.org>\r\n\r\n" % number + b"%d " % number * (number * 577 % 9001)


def letter(number: int) -> bytes:
    return b"Subject: Re: %d\r\n\r\nthanks\r\n" % number


def key(number: int) -> str:
    return identity("mail", number)


def letter_key(number: int) -> str:
    return identity("letter", key(number))


@dataclass
class Books:
    """The store on one state directory, recovered as at a start."""

    database: Database
    spool: Spool

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.database, identity(os.urandom(8)), "machine")
        self.folders = Folders(self.database)
        self.now = 0.0
        self.ledger.recover(self.now, lambda *_: 1000)
        self.strays = self.spool.sweep(Desk(self.database).keys())

    def take_over(self) -> Cursor:
        cursor = self.folders.take("a", "INBOX")
        return cursor if cursor.epoch else self.folders.anchor(cursor, Anchor(7, 1), self.now)

    def receive(self, cursor: Cursor, count: int) -> Cursor:
        """The next mails, together."""
        moved = replace(cursor, next_uid=cursor.next_uid + count)
        with ExitStack() as unless_entered:
            arrivals = [self.arrive(number, unless_entered) for number in range(cursor.next_uid, moved.next_uid)]
            self.spool.settle(arrival.key for arrival in arrivals)
            unless_entered.pop_all()
        self.folders.receive(moved, arrivals, [], self.now)
        for arrival in arrivals:
            tell("received", arrival.place.uid)
        return moved

    def arrive(self, number: int, unless_entered: ExitStack) -> Arrival:
        draft = self.spool.draft(key(number))
        unless_entered.callback(draft.discard)
        draft.write(raw(number))
        draft.finish()
        return Arrival(
            place=Place("a", "INBOX", 7, number),
            key=key(number),
            received=NOON,
            size=draft.size,
            message_id=f"<{number}@example.org>",
            digest=draft.whole.hexdigest(),
            body_digest=draft.body.hexdigest(),
        )

    def work(self) -> None:
        """Do all there is to do."""
        while True:
            self.now += LONG
            lanes = [(kind, lane.name) for kind in (Kind.UNPACK, Kind.JOB) for lane in self.ledger.lanes(kind)]
            if not lanes:
                return
            for kind, lane in lanes:
                for work in self.ledger.claim(kind, self.now, {lane: 10}):
                    outcome = self.answered(work) if kind is Kind.JOB else Outcome(Verdict.DONE, plan=ANSWER)
                    decision = decide(outcome, work, RetryPolicy(age=1e99), self.now)
                    self.ledger.finish(work, outcome, decision, self.now)
                    if kind is Kind.JOB and outcome.verdict is Verdict.DONE:
                        tell("answered", work.place.uid)

    def answered(self, work: Work) -> Outcome:
        number = work.place.uid
        try:
            digest, size = store(self.spool, letter_key(number), [letter(number)])
        except SpoolFull as error:
            return Outcome(Verdict.LATER, str(error))
        message_id, people = f"<answer-{number}@example.org>", ("peer@example.org",)
        posting = Posting(letter_key(number), "relay", "answer", "us@example.org", people, message_id, digest, size)
        return Outcome(Verdict.DONE, postings=(posting,))


ANSWER = Plan((Step("answer", "rule"),))


def tell(what: str, number: int) -> None:
    os.writev(1, [f"{what} {number}\n".encode()])


def keep(state: Path, count: int) -> None:
    """Begin where an earlier life ended."""
    with hold_state(state), closing(Database(state)) as database:
        books = Books(database, Spool(state))
        cursor = books.take_over()
        books.work()
        while cursor.next_uid <= count:
            with suppress(SpoolFull):
                cursor = books.receive(cursor, 1 + cursor.next_uid % MOST)
                books.work()


# --- afterwards -----------------------------------------------------------------------------------------------------


def losses(state: Path, told: Iterable[str]) -> list[str]:
    """What was told and is not so, what the ledger knows and the disk does not, and what was done twice; in words."""
    with closing(Database(state)) as database:
        books = Books(database, Spool(state))
        return [*untrue(database, told), *unkept(database, books.spool), *doubled(database)]


def untrue(database: Database, told: Iterable[str]) -> Iterator[str]:
    mails = {row["key"] for row in database.read("SELECT key FROM mail")}
    done = {row["uid"] for row in database.read(f"SELECT uid FROM work JOIN mail ON mail.id = mail WHERE {DONE}")}
    for line in told:
        what, number = line.split()
        if key(int(number)) not in mails:
            yield f"{line}: the mail is lost"
        if what == "answered" and letter_key(int(number)) not in mails:
            yield f"{line}: the letter is lost"
        if what == "answered" and int(number) not in done:
            yield f"{line}: the outcome is lost"


def unkept(database: Database, spool: Spool) -> Iterator[str]:
    rows = database.read("SELECT key, digest FROM mail")
    for row in rows:
        file = spool.folder(row["key"]).raw
        if not file.exists() or sha256(file.read_bytes()).hexdigest() != row["digest"]:
            yield f"{row['key']}: its bytes are lost"
    yield from (f"{path.name} belongs to nobody" for path in spool.path.iterdir() if path.name not in {*keys(rows)})


def keys(rows: Iterable[object]) -> Iterator[str]:
    return (row["key"] for row in rows)  # type: ignore[index]


def doubled(database: Database) -> Iterator[str]:
    ends = Counter(row["work"] for row in database.read("SELECT work FROM history WHERE status = 'done'"))
    yield from (f"work {work} has ended {times} times" for work, times in ends.items() if times > 1)
    for table, what in (("mail", "key"), ("mail", "content"), ("letter", "mail")):
        for row in database.read(f"SELECT {what} AS it FROM {table} GROUP BY {what} HAVING count(*) > 1"):
            yield f"{table} {row['it']} is there twice"


DONE = "work.kind = 'job' AND work.status = 'done'"

if __name__ == "__main__":
    try:
        keep(Path(sys.argv[1]), int(sys.argv[2]))
    except (StorageFailed, SpoolFull) as error:
        os.writev(2, [f"{error}\n".encode()])
        sys.exit(FAILED)
