"""
A stage: one thread that claims one kind of work from the ledger, and workers that do it and write down what came of it.

Stages meet only at the ledger. Bells ring downstream; one that is lost costs a moment, never work.
"""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from watcher.model import Decision, Kind, Outcome, Status, Verdict, Work
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
            self.condition.notify_all()

    def wait(self, heard: int, timeout: float) -> None:
        """Until it has rung since `heard`, at most `timeout` seconds."""
        with self.condition:
            self.condition.wait_for(lambda: self.rings != heard, timeout)


class Roster:
    """How many runs of each name there are, how many there may be, and which names are on hold until a time."""

    def __init__(self, limit: Callable[[str], int]) -> None:
        self.limit = limit
        self.lock = threading.Lock()
        self.running: Counter[str] = Counter()
        self.held: dict[str, float] = {}

    def busy(self) -> int:
        """All runs together."""
        with self.lock:
            return self.running.total()

    def room(self, name: str) -> int:
        """How many more runs of this name may begin."""
        with self.lock:
            return self.limit(name) - self.running[name]

    def unavailable(self, now: float) -> list[str]:
        """Names of which none may begin now."""
        with self.lock:
            full = (name for name, runs in self.running.items() if runs and runs >= self.limit(name))
            held = (name for name, until in self.held.items() if until > now)
            return [*full, *held]

    def next_free(self, now: float) -> float:
        """When the next hold ends."""
        with self.lock:
            return min((until for until in self.held.values() if until > now), default=now + LONGEST_REST)

    def begin(self, name: str) -> None:
        with self.lock:
            self.running[name] += 1

    def end(self, name: str, held_until: float | None) -> bool:
        """A run is over, with or without a hold; whether the name is newly on hold."""
        with self.lock:
            self.running[name] -= 1
            if held_until is None:
                self.held.pop(name, None)
                return False
            fresh = name not in self.held
            self.held[name] = held_until
            return fresh


class Stage:
    """
    One kind of work, in lanes (by handler, by account) that are limited and held each for itself.

    `act` gets what was claimed together (one piece, or up to `batch` of one folder) and gives each piece its outcome;
    what it raises ends the process. `ahead` pieces are claimed before a worker is free: fewer commits, where being
    claimed in vain costs nothing.
    """

    def __init__(
        self,
        kind: Kind,
        ledger: Ledger,
        act: Act,
        policy: Callable[[Work], RetryPolicy],
        *,
        workers: int,
        on_failure: Callable[[BaseException], None],
        downstream: Sequence[Bell] = (),
        lane: Callable[[Work], str] = lambda work: work.name,
        limit: Callable[[str], int] = lambda _: 1 << 30,
        ahead: int = 0,
        batch: int = 1,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind = kind
        self.ledger = ledger
        self.act = act
        self.policy = policy
        self.on_failure = on_failure
        self.downstream = downstream
        self.most = workers + ahead
        self.batch = batch
        self.lane = lane
        self.rest = rest
        self.bell = Bell()
        self.roster = Roster(limit)
        self.stopping = False
        self.claimed: queue.SimpleQueue[Sequence[Work] | None] = queue.SimpleQueue()
        names = [(f"{kind} claims", self.claim_loop), *((f"{kind} {number}", self.work) for number in range(workers))]
        self.threads = [
            threading.Thread(target=self.guard, args=(loop,), name=name, daemon=True) for name, loop in names
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Claim nothing more. What was claimed goes on; `join` waits for it."""
        self.stopping = True
        self.bell.ring()

    def join(self, timeout: float | None = None) -> bool:
        """Whether all has ended within `timeout` seconds in all."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in self.threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def guard(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # noqa: BLE001 - a bug or a failing disk: the whole process ends
            self.on_failure(error)

    # --- the claiming thread ----------------------------------------------------------------------------------------

    def claim_loop(self) -> None:
        while not self.stopping:
            heard = self.bell.rings
            if not self.claim():
                self.bell.wait(heard, self.pause())
        for _ in self.threads:
            self.claimed.put(None)

    def claim(self) -> bool:
        """Take what is due and what there is room for; whether there was any."""
        now, free = time.time(), self.most - self.roster.busy()
        if free <= 0:
            return False
        closed = self.roster.unavailable(now)
        if self.batch > 1:
            works = self.ledger.claim_folder(self.kind, now, self.batch, closed)
            lots = [works] if works else []
        else:
            works = self.ledger.claim(self.kind, now, limit=free, without=closed, room=self.roster.room)
            lots = [[work] for work in works]
        for lot in lots:
            self.roster.begin(self.lane(lot[0]))
            self.claimed.put(lot)
        return bool(lots)

    def pause(self) -> float:
        """Seconds until something falls due; the bell ends the wait when a worker is free or work comes in."""
        now = time.time()
        if self.roster.busy() >= self.most:
            return LONGEST_REST
        closed, free = self.roster.unavailable(now), self.roster.next_free(now)
        due = (self.ledger.next_due if self.batch == 1 else self.ledger.next_due_account)(self.kind, closed)
        return min(LONGEST_REST, max(0.0, (free if due is None else min(free, due)) - now))

    # --- the workers ------------------------------------------------------------------------------------------------

    def work(self) -> None:
        while True:
            try:
                works = self.claimed.get(timeout=LONGEST_REST)
            except queue.Empty:
                self.rest()
                continue
            if works is None:
                return
            self.do(works)

    def do(self, works: Sequence[Work]) -> None:
        held_until: float | None = None
        for work, outcome in self.act(works):
            decision = self.settle(work, outcome)
            if outcome.verdict is Verdict.HOLD:
                held_until = max(held_until or 0.0, decision.due or 0.0)
                reason = outcome.reason
        lane = self.lane(works[0])
        if self.roster.end(lane, held_until) and not self.stopping:
            log.error("%s of %s is on hold, its mail waits: %s", self.kind, lane, reason)
        self.bell.ring()

    def settle(self, work: Work, outcome: Outcome) -> Decision:
        now = time.time()
        decision = decide(outcome, work, self.policy(work), now)
        accepted = self.ledger.finish(work, outcome, decision, now)
        report(work, outcome, decision.status, decision.reason if accepted else "late: another attempt has run")
        for bell in self.downstream:
            bell.ring()
        return decision


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
