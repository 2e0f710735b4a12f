"""
SQLite, kept safe: one writing connection, WAL with synchronous=FULL, many changes in one commit.

The thread that has a change commits it, together with those of all who came before its turn: none has to wake for it.
Contains no business logic. Exactly one connection ever writes, since SQLite before 3.51.3 can corrupt a WAL database
with two (sqlite.org/wal.html, "The WAL-reset bug").
"""

import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from watcher.errors import SpoolFull, StorageFailed, WatcherError
from watcher.store.faults import FULL, passing, storage
from watcher.store.opening import connect, open_ledger
from watcher.store.reserve import Reserve

__all__ = ["Database", "Pending", "Row"]

Row = sqlite3.Row
T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]

log = logging.getLogger(__name__)

BATCH = 256  #: changes that share one commit at most
AGAIN = 1.0  #: seconds between two tries to write to a disk that is full
#: Mistakes in one change; every other error of SQLite speaks of the disk or the file.
MISTAKES = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Database:
    """
    The file `ledger.db` in the state directory.

    The caller holds the lock of that directory. Raises DatabaseRefused for a file that is not ours, empty, broken or
    newer than this program: guessing would lose the record of what was done. Raises StorageFailed and SpoolFull if the
    disk fails or is full, StateLocked if another program has locked the file.

    While the disk is full, later on, all changes wait. Once `ending` is set they fail instead.
    """

    def __init__(self, state: Path, ending: threading.Event | None = None) -> None:
        self.path = state / "ledger.db"
        self.ending = ending or threading.Event()
        self.failure: BaseException | None = None
        self.reserve = Reserve(state)
        self.trouble = ""  #: why nothing can be written at the moment
        with storage(f"{self.path}"):
            self.writer = open_ledger(self.path)
        self.reader = connect(f"file:{self.path}?mode=ro")
        self.read_lock = threading.Lock()
        self.changes: deque[tuple[Change[Any], Future[Any]]] = deque()
        self.turn = threading.Lock()  #: to write
        self.calls: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.commit_loop, name="ledger", daemon=True)
        self.thread.start()

    # --- use --------------------------------------------------------------------------------------------------------

    def write(self, change: Change[T]) -> T:
        """
        Run `change` in a transaction and return its result once it is durable.

        A WatcherError it raises undoes this change alone. It may run several times: while the disk is full it is tried
        again and again. Raises StorageFailed if the disk fails; the process must then end, as only the next start can
        tell what is true.
        """
        return self.propose(change).result()

    def submit(self, change: Change[T]) -> Future[T]:
        """The same, without waiting: what `write` returns or raises comes by the future."""
        future = self.propose(change).future
        self.calls.put(True)
        return future

    def propose(self, change: Change[T]) -> "Pending[T]":
        """
        The same in two steps: the change runs when its result is asked for, or before that with another one. So those
        that are proposed one after the other run in this order, and share a commit.
        """
        self.check()
        future: Future[T] = Future()
        self.changes.append((change, future))
        return Pending(self, future)

    def commit_until(self, future: Future[Any]) -> None:
        with self.turn:
            while not future.done():
                self.commit_some()

    def check(self) -> None:
        """Raises StorageFailed if that has happened: nothing is written any more."""
        if self.failure:
            raise StorageFailed(f"{self.path}: {self.failure}") from self.failure

    def read(self, query: str, parameters: tuple[Any, ...] | Mapping[str, Any] = ()) -> list[Row]:
        """Rows as of the last commit."""
        with self.read_lock:
            return self.reader.execute(query, parameters).fetchall()

    def compact(self) -> None:
        """
        Write the whole file anew, so that no byte of what was removed stays in it or in its log.

        Nothing else is written meanwhile. Raises SpoolFull if there is no room for a second one, WatcherError if
        another program reads it, and StorageFailed.
        """
        with self.turn:
            self.check()
            self.compact_now()

    def close(self) -> None:
        """End cleanly: everything written, the file marked as whole. Safe to call twice."""
        if self.thread.is_alive():
            self.ending.set()
            self.calls.put(False)
            self.thread.join()
            self.reader.close()
            with self.turn:
                if not self.failure:
                    self.mark_clean()
                self.writer.close()

    def mark_clean(self) -> None:
        try:
            self.writer.execute("UPDATE meta SET value = '1' WHERE name = 'clean'")
        except sqlite3.Error as error:  # all is there, but the next start has to look
            log.warning("%s can't be marked as whole: %s", self.path, error)

    # --- by the thread that has its turn ----------------------------------------------------------------------------

    def commit_loop(self) -> None:
        """For those who don't wait for it."""
        while self.calls.get():
            with self.turn:
                self.commit_some()
        with self.turn:
            while self.changes:
                self.commit_some()

    def commit_some(self) -> None:
        """What has come first."""
        if self.changes:
            self.commit([self.changes.popleft() for _ in range(min(BATCH, len(self.changes)))])

    def compact_now(self) -> None:
        try:
            self.writer.execute("PRAGMA temp_store = FILE")  # its size may be beyond our memory
            self.writer.execute("VACUUM")
            self.writer.execute("PRAGMA temp_store = MEMORY")
            (busy, _, _) = self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            if passing(error):
                raise SpoolFull(f"{self.path} can't be written anew: {passing(error)}") from error
            self.failure = error
            raise StorageFailed(f"{self.path}: {error}") from error
        if busy:
            raise WatcherError(f"{self.path} is being read, by a backup perhaps: ask again when that ends")

    def commit(self, batch: list[tuple[Change[Any], Future[Any]]]) -> None:
        """All changes of the batch in one transaction; each may fail alone, a failing disk fails all."""
        while not self.failure:
            try:
                answers = self.attempt([change for change, _ in batch])
            except sqlite3.Error as error:
                self.undo()
                if passing(error) and not self.ending.is_set():
                    self.wait_for_room(passing(error))
                else:
                    self.failure = error
            else:
                self.tell_room()
                for (_, future), (answer, mistake) in zip(batch, answers, strict=True):
                    future.set_exception(mistake) if mistake else future.set_result(answer)
                return
        for _, future in batch:
            wrapped = StorageFailed(f"{self.path}: {self.failure}")
            wrapped.__cause__ = self.failure
            future.set_exception(wrapped)

    def attempt(self, changes: Sequence[Change[Any]]) -> list[tuple[Any, Exception | None]]:
        """What each change has returned or raised, once all are durable."""
        answers: list[tuple[Any, Exception | None]] = []
        self.writer.execute("BEGIN IMMEDIATE")
        for change in changes:
            self.writer.execute("SAVEPOINT one")
            try:
                answers.append((change(self.writer), None))
            except Exception as error:
                if isinstance(error, sqlite3.Error) and not isinstance(error, MISTAKES):
                    raise
                self.writer.execute("ROLLBACK TO one")
                answers.append((None, error))
            self.writer.execute("RELEASE one")
        self.writer.execute("COMMIT")
        bugs = [error for _, error in answers if error and not isinstance(error, WatcherError)]
        self.failure = bugs[0] if bugs else None
        return answers

    def undo(self) -> None:
        """A commit that failed may or may not be on the disk: nobody was told of it (PostgreSQL's "fsyncgate")."""
        if self.writer.in_transaction:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                self.writer.execute("ROLLBACK")

    def wait_for_room(self, trouble: str) -> None:
        """What waits is done again from the start: nobody was told of it, and SQLite has taken back its traces."""
        if trouble == FULL and self.reserve.give_up():
            log.error("%s can't be written, %s: what was kept back for that is used now", self.path, trouble)
            return
        if not self.trouble:
            log.error("%s can't be written, %s: all waits, and goes on by itself once it can", self.path, trouble)
        self.trouble = trouble
        self.ending.wait(AGAIN)

    def tell_room(self) -> None:
        if self.trouble:
            log.warning("%s can be written again: all goes on", self.path)
        self.trouble = ""


@dataclass(frozen=True, slots=True)
class Pending(Generic[T]):
    """A change that was proposed."""

    database: Database  #: to which
    future: Future[T]  #: done once somebody has committed it

    def result(self) -> T:
        """What it has returned, once it is durable; raises as `Database.write`."""
        self.database.commit_until(self.future)
        return self.future.result()
