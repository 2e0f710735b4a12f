"""
The doors of the hosts: who may log in now. Shared by all accounts of a host.

A few log in to a host at once, in the order they came, so that a start of a thousand accounts is no stampede. A host
that can't be reached is tried by one alone, after waits that grow; the others wait at the door and are let in when it
answers. And all hosts together never get more than a part of our threads, so that dark ones can't take them from those
that live.
"""

import random
import threading
from collections import deque
from collections.abc import Callable

from watcher.retry import doubled

__all__ = ["Door", "Hall", "Turn"]

AT_ONCE = 4  #: logins to one host that answers
FIRST_WAIT = 1.0  #: seconds before a host that failed is tried again; doubles
LONGEST_WAIT = 60.0


class Turn:
    """A place in a queue. `granted` once it may enter; whoever got it must `Door.leave`, whatever comes."""

    __slots__ = ("granted", "wake")

    def __init__(self) -> None:
        self.granted = False
        self.wake: Callable[[], None] | None = None  #: called when it is granted or should look again, from any thread

    def grant(self) -> None:
        self.granted = True
        if self.wake:
            self.wake()


class Hall:
    """All doors, and how many guests may be inside, all hosts together. Never blocks."""

    def __init__(self, room: int, rnd: Callable[[], float] = random.random) -> None:
        self.room = room
        self.rnd = rnd
        self.lock = threading.RLock()
        self.doors: dict[str, Door] = {}
        self.queues: dict[str, Door] = {}  #: the doors at which somebody waits
        self.inside = 0

    def door(self, host: str) -> "Door":
        with self.lock:
            if host not in self.doors:
                self.doors[host] = Door(host, self)
            return self.doors[host]

    def admit(self, now: float) -> None:
        """Let in whoever may enter now, one from each door in turn."""
        entered = 1
        while entered:
            entered = sum(self.inside < self.room and door.admit_one(now) for door in list(self.queues.values()))


class Door:
    """Of one host. Times are monotonic seconds."""

    def __init__(self, host: str, hall: Hall) -> None:
        self.host = host
        self.hall = hall
        self.queue: deque[Turn] = deque()
        self.inside = 0
        self.at_once = 1  #: more once it has answered
        self.failures = 0  #: in a row
        self.closed_until = 0.0

    def knock(self, now: float) -> Turn:
        """Queue up; the turn may be granted at once."""
        turn = Turn()
        with self.hall.lock:
            self.queue.append(turn)
            self.hall.queues[self.host] = self
            self.hall.admit(now)
        return turn

    def look(self, turn: Turn, now: float) -> float:
        """Grants what can be granted now; else when to look again, unless the turn wakes before."""
        with self.hall.lock:
            self.hall.admit(now)
            first = bool(self.queue) and self.queue[0] is turn
            return self.closed_until if first and self.closed_until > now else now + LONGEST_WAIT

    def leave(self, turn: Turn, now: float, *, reached: bool | None) -> None:
        """
        The login is over, or the turn is given back. `reached`: the host has answered, whatever it said; False: it was
        not to be reached or turned everybody away; None: nothing was tried.
        """
        with self.hall.lock:
            if turn.granted:
                self.inside -= 1
                self.hall.inside -= 1
                self.learn(reached, now)
            else:
                self.queue.remove(turn)
            if not self.queue:
                self.hall.queues.pop(self.host, None)
            self.hall.admit(now)
            if self.queue and (wake := self.queue[0].wake):
                wake()  # it is the first now, and the one to look when the door opens

    def learn(self, reached: bool | None, now: float) -> None:
        if reached:
            self.at_once, self.failures, self.closed_until = AT_ONCE, 0, 0.0
        elif reached is False:
            ceiling = doubled(FIRST_WAIT, self.failures, LONGEST_WAIT)
            self.at_once, self.failures = 1, self.failures + 1
            self.closed_until = now + ceiling * (0.5 + self.hall.rnd() / 2)

    def admit_one(self, now: float) -> bool:
        if not self.queue or self.inside >= self.at_once or now < self.closed_until:
            return False
        self.inside += 1
        self.hall.inside += 1
        turn = self.queue.popleft()
        if not self.queue:
            self.hall.queues.pop(self.host, None)
        turn.grant()
        return True
