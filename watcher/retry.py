"""Pure decisions about time: how long to wait before the next try, and when to give up."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from watcher.model import Decision, Kind, Outcome, Status, Verdict, Work

__all__ = ["POISON", "POLICIES", "RetryPolicy", "cut_off", "decide", "doubled"]

#: Crashes or time-outs of one piece of work after which it is given up.
POISON = 3

ENOUGH = 64  #: doublings after which any cap is reached; a thousand more, and there is no such number


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a piece of work is tried. Times in seconds."""

    attempts: int = 12
    first: float = 30.0  #: wait after the first failure; doubles each time
    cap: float = 3600.0  #: longest wait
    age: float = 48 * 3600.0  #: given up when the first attempt is older than this
    jitter: float = 0.2  #: each wait is longer or shorter by up to this part


#: How work is tried, but for jobs: of these the settings of their handlers say it.
POLICIES: Mapping[Kind, RetryPolicy] = {
    Kind.UNPACK: RetryPolicy(first=1.0, cap=60.0),
    Kind.AFTER: RetryPolicy(attempts=20, first=5.0, cap=1800.0),
    Kind.SEND: RetryPolicy(attempts=100, first=300.0, cap=3600.0, age=48 * 3600.0),  # RFC 5321 4.5.4.1
}


def doubled(first: float, times: int, cap: float) -> float:
    """A wait that grows with what went wrong in a row: `first`, doubled so many `times`, `cap` at most."""
    return min(cap, first * 2.0 ** min(times, ENOUGH))


def decide(
    outcome: Outcome, work: Work, policy: RetryPolicy, now: float, rnd: Callable[[], float] = random.random
) -> Decision:
    """What becomes of `work` after `outcome`: done, again at a later time, or given up, with the reason in words."""
    match outcome.verdict:
        case Verdict.DONE | Verdict.STOP:
            return Decision(Status.DONE, reason=outcome.reason)
        case Verdict.GONE:
            return Decision(Status.SKIPPED, reason=outcome.reason)
        case Verdict.NEVER:
            return Decision(Status.DEAD, reason=outcome.reason)
        case Verdict.HOLD:
            return Decision(Status.WAITING, now + (outcome.delay or policy.first), outcome.reason, free=True)
    crashed = outcome.verdict is Verdict.CRASHED
    if crashed and work.crashes + 1 >= POISON:
        return Decision(Status.DEAD, reason=f"poison: crashed {POISON} times, last: {outcome.reason}", crashed=True)
    if work.tries >= policy.attempts:
        return Decision(Status.DEAD, reason=f"gave up after {work.tries} attempts: {outcome.reason}", crashed=crashed)
    if now - work.first_at >= policy.age:
        hours = policy.age / 3600
        return Decision(Status.DEAD, reason=f"gave up after {hours:.0f} hours: {outcome.reason}", crashed=crashed)
    wait = doubled(policy.first, work.tries - 1, policy.cap) * (1 + policy.jitter * (2 * rnd() - 1))
    if outcome.delay is not None:
        wait = min(policy.age, max(outcome.delay, 0.0))
    return Decision(Status.WAITING, now + wait, outcome.reason, crashed=crashed)


def cut_off(tries: int, most: int, now: float) -> Decision:
    """What becomes of work that ran when the daemon ended: again soon, as it is rarely its fault, and not for ever."""
    if tries >= most:
        return Decision(Status.DEAD, reason=f"gave up after {tries} attempts: the daemon ended while it ran, each time")
    wait = doubled(1.0, tries - 1, 601.0) - 1
    return Decision(Status.WAITING, now + wait, "interrupted: the daemon ended while it ran")
