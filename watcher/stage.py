"""
A stage: threads that take one kind of work from the ledger, do it, and write down what came of it.

Stages meet only at the ledger. Bells ring downstream; one that is lost costs a moment, never work.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from watcher.model import Kind, Outcome, Status, Verdict, Work
from watcher.retry import RetryPolicy, decide
from watcher.store.ledger import Ledger

__all__ = ["Bell", "Roster", "Stage"]

log = logging.getLogger(__name__)

LONGEST_REST = 15.0  #: seconds until an idle stage looks again by itself

Act = Callable[[Sequence[Work]], Iterable[tuple[Work, Outcome]]]


class Bell:
    """Rings when there may be work. A ring that came before the waiting began is heard as well."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.rings = 0

    def ring(self) -> None:
        with self.condition:
            self.rings += 1
            self.condition.notify()

    def pass_on(self) -> None:
        """Wake one more: who found work says that there may be more of it."""
        with self.condition:
            self.condition.notify()

    def wait(self, heard: int, timeout: float) -> None:
        """Until it has rung since `heard`, at most `timeout` seconds."""
        with self.condition:
            self.condition.wait_for(lambda: self.rings != heard, timeout)


class Roster:
    """Which names may not be claimed now: at their limit of runs at once, or on hold until a time."""

    def __init__(self, limit: Callable[[str], int]) -> None:
        self.limit = limit
        self.running: Counter[str] = Counter()
        self.held: dict[str, float] = {}

    def unavailable(self, now: float) -> list[str]:
        full = (name for name, runs in self.running.items() if runs >= self.limit(name))
        held = (name for name, until in self.held.items() if until > now)
        return [*full, *held]

    def next_free(self, now: float) -> float:
        """When the next hold ends."""
        return min((until for until in self.held.values() if until > now), default=now + LONGEST_REST)

    def begin(self, name: str) -> None:
        self.running[name] += 1

    def end(self, name: str) -> None:
        self.running[name] -= 1

    def hold(self, name: str, until: float) -> bool:
        """Keep a name back until a time; whether it was free before."""
        fresh = name not in self.held
        self.held[name] = until
        return fresh

    def free(self, name: str) -> None:
        self.held.pop(name, None)


class Stage:
    """One kind of work. `act` gets what was claimed and gives each its outcome; what it raises ends the process."""

    def __init__(
        self,
        kind: Kind,
        ledger: Ledger,
        act: Act,
        policy: Callable[[Work], RetryPolicy],
        *,
        threads: int,
        downstream: Sequence[Bell] = (),
        limit: Callable[[str], int] = lambda _: 1 << 30,
        batch: int = 1,
        rest: Callable[[], None] = lambda: None,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.kind = kind
        self.ledger = ledger
        self.act = act
        self.policy = policy
        self.downstream = downstream
        self.batch = batch
        self.rest = rest
        self.on_failure = on_failure
        self.bell = Bell()
        self.roster = Roster(limit)
        self.lock = threading.Lock()
        self.stopping = False
        names = (f"{kind} {number}" for number in range(threads))
        self.threads = [threading.Thread(target=self.run, name=name, daemon=True) for name in names]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Claim nothing more. What runs goes on; `join` waits for it."""
        self.stopping = True
        for _ in self.threads:
            self.bell.ring()

    def join(self, timeout: float | None = None) -> bool:
        """Whether all has ended within `timeout` seconds in all."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in self.threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    # --- in each thread ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            while not self.stopping:
                heard = self.bell.rings
                if works := self.claim():
                    self.bell.pass_on()
                    self.do(works)
                else:
                    self.rest()
                    self.bell.wait(heard, self.pause())
        except BaseException as error:  # noqa: BLE001 - a bug or a failing disk: the whole process ends
            self.on_failure(error)

    def claim(self) -> list[Work]:
        """Claiming and counting are one step, so that a name never runs more often at once than it may."""
        now = time.time()
        with self.lock:
            without = self.roster.unavailable(now)
            works = self.ledger.claim(self.kind, now, without=without, limit=self.batch, same_folder=self.batch > 1)
            for work in works:
                self.roster.begin(work.name)
        return works

    def pause(self) -> float:
        now = time.time()
        with self.lock:
            without, free = self.roster.unavailable(now), self.roster.next_free(now)
        due = self.ledger.next_due(self.kind, without)
        soonest = free if due is None else min(free, due)
        return min(LONGEST_REST, max(0.0, soonest - now))

    def do(self, works: Sequence[Work]) -> None:
        for work, outcome in self.act(works):
            now = time.time()
            decision = decide(outcome, work, self.policy(work), now)
            accepted = self.ledger.finish(work, outcome, decision, now)
            with self.lock:
                self.roster.end(work.name)
                if outcome.verdict is not Verdict.HOLD:
                    self.roster.free(work.name)
                elif self.roster.hold(work.name, decision.due or now) and not self.stopping:
                    log.error("%s %s is on hold, its mail waits: %s", self.kind, work.name, outcome.reason)
            report(work, outcome, decision.status, decision.reason if accepted else "late: another attempt has run")
            for bell in (self.bell, *self.downstream):
                bell.ring()


def report(work: Work, outcome: Outcome, status: Status, reason: str) -> None:
    """One line for people about the end of an attempt."""
    place = work.place
    what = " ".join(part for part in (work.kind, work.name, work.target) if part)
    level = {Status.DEAD: logging.ERROR, Status.WAITING: logging.WARNING}.get(status, logging.INFO)
    if outcome.verdict is Verdict.HOLD:
        level = logging.DEBUG
    words = f": {reason}" if reason else ""
    where = f"{place.account}/{place.folder} UID {place.uid}"
    log.log(level, "%s: %s (job %d, attempt %d): %s%s", where, what, work.id, work.attempt, status, words)
