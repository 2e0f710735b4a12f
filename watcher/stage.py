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
from watcher.craft import Craft
from watcher.lanes import Bell, Roster
from watcher.model import Decision, Outcome, Status, Verdict, Work
from watcher.retry import decide
from watcher.store.ledger import Ledger

__all__ = ["Stage"]

log = logging.getLogger(__name__)


class Stage:
    """
    One craft at work. What was claimed together goes to one worker.

    `downstream` are the stages that find work in what is done here; `ended` hears of each outcome that is on record,
    `on_failure` of what ends the process.
    """

    def __init__(
        self,
        craft: Craft,
        ledger: Ledger,
        downstream: Sequence["Stage"],
        *,
        ended: Callable[[Work, Outcome, Status], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.craft = craft
        self.ledger = ledger
        self.downstream = downstream
        self.ended = ended
        self.on_failure = on_failure
        self.bell = Bell()
        self.claiming = threading.Lock()
        self.roster = Roster(craft)
        self.claims = Claims(craft, ledger, self.roster)
        self.stopping = False
        self.looked_up_at = time.monotonic()  #: the claiming thread
        self.next_look = 0.0  #: when it looks up next, if no bell rings
        self.rested_at = time.monotonic()  #: when `rest` was called last
        self.claimed: queue.SimpleQueue[Sequence[Work] | None] = queue.SimpleQueue()
        self.waiting = 0  #: workers that wait for work, less what waits for a worker
        self.waiting_lock = threading.Lock()
        self.threads = [self.thread(f"{craft.kind} claims", self.claim_loop)]

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
            if not self.stopping and self.ledger.waiting(self.craft.kind):
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
            if short and (self.craft.own or len(self.threads) <= self.craft.workers):
                self.threads.append(self.thread(f"{self.craft.kind} {len(self.threads)}", self.work))
                self.threads[-1].start()
            self.claimed.put(works)

    # --- the workers ------------------------------------------------------------------------------------------------

    def work(self) -> None:
        while works := self.next_claimed():
            while works:
                alone = len(works) == 1 and self.craft.lot(self.craft.lane(works[0])) is None
                works = self.do_alone(works) if alone else self.do_lot(works)
            if time.monotonic() - self.rested_at > LONGEST_REST:  # where work never ends, nobody would rest
                self.have_rest()

    def have_rest(self) -> None:
        self.rested_at = time.monotonic()
        self.craft.rest()

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
        ((work, outcome),) = self.craft.act(works)
        now, lane = time.time(), self.craft.lane(work)
        decision = decide(outcome, work, self.craft.policy(work), now)
        self.note_hold(lane, [(outcome, decision)])
        goes_on = not self.stopping and self.roster.may_go_on(lane)
        if outcome.verdict is Verdict.HOLD:  # the lane waits, not this piece: it goes on at once when the hold ends
            decision, goes_on = replace(decision, due=now), False
        relaying = self.ledger.relay(work, outcome, decision, now, lane if goes_on else None)
        for stage in self.downstream:
            stage.claim_along(stage.craft.due_after(outcome))
        accepted, following = relaying.result()
        self.announce(work, outcome, decision, accepted)
        if not following:
            self.leave(lane)
        return following

    def do_lot(self, works: Sequence[Work]) -> Sequence[Work]:
        """Do all of a lot; what came of it is written down while the rest is done."""
        lane = self.craft.lane(works[0])
        endings = []
        for work, outcome in self.craft.act(works):
            now = time.time()
            decision = decide(outcome, work, self.craft.policy(work), now)
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
            log.error("%s of %s is on hold, its mail waits: %s", self.craft.kind, lane, reason)

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
