"""
The lounge parks idle links: one selector holds all that wait, a small pool of threads runs those that have something
to do. So ten thousand mailboxes need no thread each.

A guest is a generator that reads as one blocking loop and yields `Wait` where it has nothing to do. It is resumed with
True when its link became readable, at once; or with False when its time has come, one after the other with those whose
time is about the same (or the clock jumped: the machine was suspended, so all that waits is asked whether it still
lives). Between two yields it may block for a moment (a login, a fetch); it is never run by two threads at once.
"""

import contextlib
import functools
import heapq
import itertools
import math
import os
import queue
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from watcher.imap.link import Link
from watcher.inbox.door import Turn

__all__ = ["CLOCK_JUMP", "SLACK", "Guest", "Lounge", "Party", "Wait", "together"]

LONGEST_SLEEP = 30.0  #: seconds after which the selector looks at the clock, whatever it waits for
SLACK = 1 / 256  #: part of a wait by which it may become longer, so that others end with it
ALONE = 0.02  #: seconds for which one thread works off what is due, before another one helps
CLOCK_JUMP = 10.0  #: seconds by which wall clock and monotonic clock may part between two looks


@dataclass(frozen=True, slots=True)
class Wait:
    """Resume me when `link` is readable, `turn` is granted or it is `until` (monotonic seconds), as comes first."""

    until: float
    link: Link | None = None
    turn: Turn | None = None


Guest = Generator[Wait, bool, None]


class Party:
    """Guests that go together when they are dismissed: those of one account."""

    __slots__ = ("dismissed", "lounge")

    def __init__(self, lounge: "Lounge") -> None:
        self.lounge = lounge
        self.dismissed = False

    def admit(self, guest: Guest) -> None:
        self.lounge.admit(guest, self)


class Seat:
    """One guest and what it waits for at the moment."""

    __slots__ = ("descriptor", "guest", "jumps", "number", "party", "waiting")

    def __init__(self, guest: Guest, party: Party) -> None:
        self.guest = guest
        self.party = party
        self.waiting = False  #: it has said for what, and was not called since
        self.descriptor = -1  #: in the selector, or -1
        self.number = 0  #: of its present wait; an alarm with another number is stale
        self.jumps = 0  #: jumps of the clock that it was told of


class Lounge:
    """`admit` guests, `close` at the end. `on_failure` is called once, with an error that is no guest's business."""

    def __init__(self, threads: int, on_failure: Callable[[BaseException], None]) -> None:
        self.on_failure = on_failure
        self.closing = False
        self.moved_at = time.monotonic()  #: last time that the porter looked up; the watchdog wants to know
        self.seats: set[Seat] = set()
        self.due: deque[Seat] = deque()  #: to be called when a thread comes to it
        self.invited = False  #: one was asked to, and has not come so far
        self.ready: queue.SimpleQueue[Seat | None] = queue.SimpleQueue()  #: whose link is readable; None: see `due`
        self.called: deque[tuple[Seat, int]] = deque()  #: whose turn was granted, with the number of that wait
        self.leaving: deque[Party] = deque()
        self.selector = select.epoll()
        self.lock = threading.Lock()  #: of the next four, and of what a seat waits for
        self.parked: dict[int, Seat] = {}  #: by descriptor, those in the selector
        self.alarms: list[tuple[float, int, Seat, int]] = []  #: a heap; the order of entry settles equal times
        self.order = itertools.count()
        self.jumps = 0  #: of the clock
        self.bell, self.rope = os.pipe()
        os.set_blocking(self.bell, False)
        os.set_blocking(self.rope, False)
        self.selector.register(self.bell, select.EPOLLIN)
        self.threads = [threading.Thread(target=self.serve, name=f"link {n}", daemon=True) for n in range(threads)]
        self.porter = threading.Thread(target=self.mind_the_links, name="lounge", daemon=True)
        for thread in (self.porter, *self.threads):
            thread.start()

    def admit(self, guest: Guest, party: Party | None = None) -> None:
        seat = Seat(guest, party or Party(self))
        self.seats.add(seat)
        self.due.append(seat)
        self.ring()

    def dismiss(self, party: Party) -> None:
        """Close these guests: who waits at once, who is busy at its next wait. Whoever of them comes later, too."""
        party.dismissed = True
        self.leaving.append(party)
        self.ring()

    def announce_close(self) -> None:
        """Nobody is called any more; who is busy goes on to its next wait."""
        self.closing = True
        self.ring()

    def close(self) -> None:
        """Every guest is closed where it waits; one that is busy is closed at its next wait."""
        self.announce_close()
        for _ in self.threads:
            self.ready.put(None)
        for thread in (self.porter, *self.threads):
            thread.join()
        for seat in self.seats:
            seat.guest.close()
        self.selector.close()
        os.close(self.bell)
        os.close(self.rope)

    # --- the pool ---------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        while not self.closing:
            seat = self.ready.get()
            if seat is not None:
                self.run(seat, readable=True)
                continue
            self.invited = False
            with contextlib.suppress(IndexError):  # until nothing is left, whoever else takes of it
                while not self.closing:
                    self.run(self.due.popleft(), readable=False)

    def run(self, seat: Seat, *, readable: bool) -> None:
        """Call a guest, until it waits again or leaves."""
        try:
            if seat.party.dismissed:
                seat.guest.close()
                self.seats.discard(seat)
                return
            self.park(seat, seat.guest.send(readable) if seat.number else next(seat.guest))
        except StopIteration:
            self.seats.discard(seat)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must end the process, not this thread
            self.seats.discard(seat)
            self.on_failure(error)

    def park(self, seat: Seat, wait: Wait) -> None:
        """Have a guest wait. The porter is roused only if he is to look up sooner than he would, which is rare."""
        with self.lock:
            seat.number += 1
            seat.waiting = True
            if wait.link is not None:
                seat.descriptor = wait.link.fileno()
                self.selector.register(seat.descriptor, select.EPOLLIN)
                self.parked[seat.descriptor] = seat
            if wait.turn is not None:
                wait.turn.wake = functools.partial(self.call, seat, seat.number)
                if wait.turn.granted:  # between the guest's last look and this line
                    self.call(seat, seat.number)
            overdue = seat.jumps != self.jumps or seat.party.dismissed
            seat.jumps = self.jumps
            until = 0.0 if overdue else together(wait.until, time.monotonic())
            alarm = (until, next(self.order), seat, seat.number)
            heapq.heappush(self.alarms, alarm)
            is_next = self.alarms[0] is alarm
        if is_next:
            self.ring()

    def call(self, seat: Seat, number: int) -> None:
        """The turn that a guest waits for was granted; from any thread."""
        self.called.append((seat, number))
        self.ring()

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of calls that were not heard yet: enough
            os.write(self.rope, b"!")

    # --- the selector -----------------------------------------------------------------------------------------------

    def mind_the_links(self) -> None:
        """The porter's life."""
        try:
            offset = time.time() - time.monotonic()
            while not self.closing:
                offset = self.look_up(offset)
        except BaseException as error:  # noqa: BLE001 - without the selector all links would be deaf
            self.on_failure(error)

    def look_up(self, offset: float) -> float:
        """Wait for whoever is to be called next. `offset` of the wall clock, at the last look; that at this one."""
        self.moved_at = time.monotonic()
        readable = self.selector.poll(self.pause())
        now = time.monotonic()
        is_now = time.time() - now
        with self.lock:
            self.wake_readable(readable)
            self.wake_called()
            self.wake_due(now, jumped=abs(is_now - offset) > CLOCK_JUMP)
        if self.due and not self.invited:
            self.invited = True
            self.ready.put(None)
        return is_now

    def pause(self) -> float:
        """Seconds until there is something to do, unless somebody rings."""
        with self.lock:
            until = self.alarms[0][0] if self.alarms else math.inf
        return min(ALONE if self.due else LONGEST_SLEEP, max(0.0, until - time.monotonic()))

    def wake_readable(self, readable: Iterable[tuple[int, int]]) -> None:
        for descriptor, _ in readable:
            if descriptor == self.bell:
                os.read(self.bell, 4096)
            else:
                self.wake(self.parked[descriptor], readable=True)

    def wake_called(self) -> None:
        while self.called:
            seat, number = self.called.popleft()
            if seat.number == number:
                self.wake(seat, readable=False)
        while self.leaving:
            party = self.leaving.popleft()
            for seat in [seat for seat in list(self.seats) if seat.party is party and seat.waiting]:
                self.wake(seat, readable=False)

    def wake_due(self, now: float, *, jumped: bool) -> None:
        self.jumps += jumped
        while self.alarms and (jumped or self.alarms[0][0] <= now):
            _, _, seat, number = heapq.heappop(self.alarms)
            if seat.number == number:
                seat.jumps = self.jumps
                self.wake(seat, readable=False)

    def wake(self, seat: Seat, *, readable: bool) -> None:
        if seat.descriptor >= 0:
            self.selector.unregister(seat.descriptor)
            del self.parked[seat.descriptor]
            seat.descriptor = -1
        seat.waiting = False
        seat.number += 1
        if readable:
            self.ready.put(seat)
        else:
            self.due.append(seat)


def together(until: float, now: float) -> float:
    """
    When to end a wait: a little later than `until`, at a time at which others of about this length end as well. To call
    a single guest costs several times as much as to call one more, since nothing of the way is at hand any more.
    """
    if until <= now:
        return until
    _, exponent = math.frexp((until - now) * SLACK)
    step = math.ldexp(0.5, exponent)
    return math.ceil(until / step) * step
