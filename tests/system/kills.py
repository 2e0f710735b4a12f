"""Kills the daemon again and again at random moments while mail keeps coming in, then asks the checker."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from random import Random
from threading import Event

from tests.system.daemon import CALLS, Daemon, Injection
from tests.system.mails import mails
from tests.system.waiting import until

__all__ = ["Churn", "churn", "conclude"]

PROGRESS = 24  #: events of handlers until a daemon is killed, at most
LIFE = 5.0  #: seconds until it is killed without them: it may have nothing left to do


@dataclass(frozen=True, slots=True)
class Churn:
    """How a daemon is to be maltreated."""

    mails: int
    kills: int
    seed: int
    calls: Sequence[str] = CALLS  #: system calls at whose entry kills are tried


def churn(daemon: Daemon, plan: Churn) -> Iterator[int]:
    """Deliver and kill; yields the number of kills after each. The daemon lies dead at each yield."""
    rnd = Random(plan.seed)
    targets = cycle([(account.user, folder) for account in daemon.accounts for folder in account.folders])
    made = [(*target, one.raw) for target, one in zip(targets, mails(plan.mails, plan.seed), strict=False)]
    with ThreadPoolExecutor(1) as postman:
        for number in range(plan.kills):
            batch = made[number * plan.mails // plan.kills : (number + 1) * plan.mails // plan.kills]
            delivery = postman.submit(daemon.server.deliver_many, _spread(batch, rnd.uniform(0, 0.1)))
            _start_and_kill(daemon, rnd, plan.calls)
            delivery.result()
            yield number + 1


def conclude(daemon: Daemon, plan: Churn, within: float) -> list[str]:
    """Start it once more and let it finish; what is still wrong after `within` seconds, or at once when nothing is."""
    daemon.start()
    deadline = time.monotonic() + within
    wrong = ["not looked yet"]
    while wrong and time.monotonic() < deadline:
        assert not daemon.ends_within(0.5), daemon.log()[-4000:]
        jobs = daemon.jobs()
        wrong = daemon.verdict(range(plan.mails), jobs, daemon.unseen())
    return wrong


def _start_and_kill(daemon: Daemon, rnd: Random, calls: Sequence[str]) -> None:
    """One life, ended in one of three ways: in its first steps, at a system call of any thread, or at any time.

    Most kills fall while it works: when it has got so far with the mails that came, however busy the machine is.
    """
    way = rnd.random()
    if way < 0.15:
        daemon.start(_injection(rnd, calls))
        if not daemon.ends_within(rnd.uniform(0.5, 2)):
            daemon.kill()
        else:
            daemon.killed()
        return
    goal = len(daemon.events()) + rnd.randrange(PROGRESS)
    daemon.start()
    with suppress(TimeoutError):
        until(lambda: len(daemon.events()) > goal, LIFE, "the daemon to get so far")
    if way < 0.75:
        daemon.kill_at(_injection(rnd, calls), within=1)
    else:
        daemon.kill()


def _injection(rnd: Random, calls: Sequence[str]) -> Injection:
    """Mostly an early one: each thread counts its own calls, and most threads make few."""
    return Injection(rnd.choice(calls), round(10 ** rnd.uniform(0, 1.7)))


def _spread(batch: Sequence[tuple[str, str, bytes]], pause: float) -> Iterator[tuple[str, str, bytes]]:
    """The mails, with a pause before each, so that some come while the daemon idles and some while it is dead."""
    for one in batch:
        Event().wait(pause)
        yield one
