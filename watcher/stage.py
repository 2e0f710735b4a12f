"""
A stage: one thread that claims one kind of work from the ledger, and workers that do it and write down what came of it.

Stages meet only at the ledger. Bells ring downstream; one that is lost costs a moment, never work.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from watcher.claims import LONGEST_REST, Claims
from watcher.lanes import Bell, Lot, Roster
from watcher.model import Decision, Kind, Outcome, Status, Verdict, Work
from watcher.retry import RetryPolicy, decide
from watcher.store.ledger import Ledger

__all__ = ["Stage"]

log = logging.getLogger(__name__)

Act = Callable[[Sequence[Work]], Iterable[tuple[Work, Outcome]]]


class Stage:
    """
    One kind of work, in lanes (by handler, by account) that are limited and held each for itself.

    `act` gets what was claimed together (one piece, or a lot where `lot` says so of the lane) and gives each piece its
    outcome; what it raises ends the process. `workers` pieces or lots are done at once; with `own`, each lane may have
    one run beyond that, so that none waits for another. `due_after` knows the lanes in which an outcome of the stage
    before this one makes work due at once.
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
        downstream: Sequence["Stage"] = (),
        lane: Callable[[Work], str] = lambda work: work.name,
        limit: Callable[[str], int] = lambda _: 1 << 30,
        lot: Callable[[str], Lot | None] = lambda _: None,
        due_after: Callable[[Outcome], Iterable[str]] = lambda _: (),
        own: bool = False,
        rest: Callable[[], None] = lambda: None,
        ended: Callable[[Work, Outcome, Status], None] = lambda *_: None,
    ) -> None:
        self.kind = kind
        self.ledger = ledger
        self.act = act
        self.policy = policy
        self.on_failure = on_failure
        self.downstream = downstream
        self.workers = workers
        self.own = own
        self.lane = lane
        self.lot = lot
        self.due_after = due_after
        self.rest = rest
        self.ended = ended
        self.bell = Bell()
        self.claiming = threading.Lock()
        self.roster = Roster(workers, limit, own=own)
        self.claims = Claims(kind, ledger, self.roster, lane, lot)
        self.stopping = False
        self.looked_up_at = time.monotonic()  #: the claiming thread
        self.next_look = 0.0  #: when it looks up next, if no bell rings
        self.rested_at = time.monotonic()  #: when `rest` was called last
        self.claimed: queue.SimpleQueue[Sequence[Work] | None] = queue.SimpleQueue()
        self.waiting = 0  #: workers that wait for work, less what waits for a worker
        self.waiting_lock = threading.Lock()
        self.threads = [self.thread(f"{kind} claims", self.claim_loop)]

    @property
    def moved_at(self) -> float:
        """Last time that it showed that it is alive, for the watchdog; waiting for room on the disk is no death."""
        return time.monotonic() if self.ledger.waits else self.looked_up_at

    def start(self) -> None:
        self.threads[0].start()

    def stop(self) -> None:
        """Claim nothing more. What was claimed goes on; `join` waits for it."""
        self.stopping = True
        self.bell.ring()

    def rouse(self) -> None:
        """There may be new work. The caller claims it, which is sooner than another thread would wake."""
        if not self.claiming.acquire(blocking=False):
            self.bell.ring()
            return
        try:
            if not self.stopping and self.ledger.waiting(self.kind):
                pause = self.claim_all()
                if time.monotonic() + pause < self.next_look:  # something falls due before that
                    self.bell.ring()
        finally:
            self.claiming.release()

    def claim_along(self, lanes: Iterable[str]) -> None:
        """
        Work of these lanes falls due with what was proposed to the ledger: claim it in the same commit, which is one
        less than for two. For what can't be had so, `rouse` is to follow.
        """
        if not self.claiming.acquire(blocking=False):
            return
        try:
            if not self.stopping:
                self.hand_out(self.claims.due_in(lanes))
        finally:
            self.claiming.release()

    def resume(self) -> None:
        """Try again now what is on hold."""
        self.roster.let_go()
        self.bell.ring()

    def join(self, timeout: float | None = None) -> bool:
        """Whether all has ended within `timeout` seconds in all."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in self.threads:  # the first one starts all others, and ends only after that
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def thread(self, name: str, loop: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=self.guard, args=(loop,), name=name, daemon=True)

    def guard(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # noqa: BLE001 - a bug or a failing disk: the whole process ends
            self.on_failure(error)

    # --- the claiming thread ----------------------------------------------------------------------------------------

    def claim_loop(self) -> None:
        while not self.stopping:
            self.looked_up_at = time.monotonic()
            heard = self.bell.rings
            with self.claiming:
                pause = self.claim_all()
                self.next_look = time.monotonic() + pause
            self.bell.wait(heard, pause)
        with self.claiming:
            for _ in self.threads[1:]:
                self.claimed.put(None)

    def claim_all(self) -> float:
        """Until nothing is left to claim for now. Seconds until there may be more; the bell may ring before."""
        pause = 0.0
        while not pause:
            lots, pause = self.claims.due()
            self.hand_out(lots)
        return pause

    def hand_out(self, lots: Iterable[Sequence[Work]]) -> None:
        """Each to a worker that waits, or to a new one."""
        for works in lots:
            with self.waiting_lock:
                self.waiting -= 1
                short = self.waiting < 0
            if short and (self.own or len(self.threads) <= self.workers):
                self.threads.append(self.thread(f"{self.kind} {len(self.threads)}", self.work))
                self.threads[-1].start()
            self.claimed.put(works)

    # --- the workers ------------------------------------------------------------------------------------------------

    def work(self) -> None:
        while works := self.next_claimed():
            while works:
                alone = len(works) == 1 and self.lot(self.lane(works[0])) is None
                works = self.do_alone(works) if alone else self.do_lot(works)
            if time.monotonic() - self.rested_at > LONGEST_REST:  # where work never ends, nobody would rest
                self.have_rest()

    def have_rest(self) -> None:
        self.rested_at = time.monotonic()
        self.rest()

    def next_claimed(self) -> Sequence[Work] | None:
        """What was claimed; None at the end."""
        with self.waiting_lock:
            self.waiting += 1
        while True:
            try:
                return self.claimed.get(timeout=LONGEST_REST)
            except queue.Empty:
                self.have_rest()

    def do_alone(self, works: Sequence[Work]) -> Sequence[Work]:
        """Do one piece and write down what came of it; the next piece if the place stays with this lane."""
        ((work, outcome),) = self.act(works)
        now, lane = time.time(), self.lane(work)
        decision = decide(outcome, work, self.policy(work), now)
        self.note_hold(lane, [(outcome, decision)])
        goes_on = not self.stopping and self.roster.may_go_on(lane)
        if outcome.verdict is Verdict.HOLD:  # the lane waits, not this piece: it goes on at once when the hold ends
            decision, goes_on = replace(decision, due=now), False
        relaying = self.ledger.relay(work, outcome, decision, now, lane if goes_on else None)
        for stage in self.downstream:
            stage.claim_along(stage.due_after(outcome))
        accepted, following = relaying.result()
        self.announce(work, outcome, decision, accepted)
        if not following:
            self.leave(lane)
        return following

    def do_lot(self, works: Sequence[Work]) -> Sequence[Work]:
        """Do all of a lot; what came of it is written down while the rest is done."""
        lane = self.lane(works[0])
        endings = []
        for work, outcome in self.act(works):
            now = time.time()
            decision = decide(outcome, work, self.policy(work), now)
            endings.append((work, outcome, decision, self.ledger.finish_soon(work, outcome, decision, now)))
        self.note_hold(lane, [(outcome, decision) for _, outcome, decision, _ in endings])
        for work, outcome, decision, accepted in endings:
            self.announce(work, outcome, decision, accepted.result())
        self.leave(lane)
        return ()

    def note_hold(self, lane: str, endings: Sequence[tuple[Outcome, Decision]]) -> None:
        holds = [
            (decision.due or 0.0, not outcome.foreseen, outcome.reason)
            for outcome, decision in endings
            if outcome.verdict is Verdict.HOLD
        ]
        until, trouble, reason = max(holds, default=(None, False, ""))
        sound = any(outcome.verdict in {Verdict.DONE, Verdict.STOP, Verdict.NEVER} for outcome, _ in endings)
        if self.roster.hold(lane, until, sound=sound, foreseen=not trouble) and not self.stopping:
            log.error("%s of %s is on hold, its mail waits: %s", self.kind, lane, reason)

    def announce(self, work: Work, outcome: Outcome, decision: Decision, accepted: bool) -> None:
        if accepted:
            self.ended(work, outcome, decision.status)
        report(work, outcome, decision.status, decision.reason if accepted else "late: another attempt has run")
        for stage in self.downstream:
            stage.rouse()

    def leave(self, lane: str) -> None:
        """A place is free, for what waited for that, too."""
        self.roster.release(lane)
        self.rouse()


def report(work: Work, outcome: Outcome, status: Status, reason: str) -> None:
    """One line for people about the end of an attempt."""
    level = {Status.DEAD: logging.ERROR, Status.WAITING: logging.WARNING}.get(status, logging.INFO)
    if outcome.verdict is Verdict.HOLD:
        level = logging.DEBUG
    log.log(level, "%s: %s%s", work, status, f": {reason}" if reason else "")
