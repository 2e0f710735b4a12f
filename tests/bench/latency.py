"""
L1, one mail at a time: from its delivery by LMTP to the start of the handler. All who take part idle side by side, each
on an inbox of its own, and have a mail in turn, so that what else the machine does meets all alike.

The server tells its watchers of a mail before its 250 is out, by a moment that depends on who is woken first. So the
clock starts as the mail is sent, and what the server needs to store it is in everybody's time, the floor's too.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import peers
from tests.bench.contestants import FLOOR, LOOPS, OURS, SCRIPT, TUNED_PARSING, WARM, Contestant, Seat, taking_part
from tests.bench.frame import Figure, judged, say, spread
from tests.bench.workbench import Post, Workbench, prompt_dovecot, workbench
from tests.system.mails import KINDS, Mail, mail
from tests.system.waiting import until

__all__ = ["DISK", "Delay", "delays_of", "figures", "measured"]

DISK = "(one fdatasync)"  #: in place of a name: what the disk alone needs, in turn with the others
_PATIENCE = 30.0  #: seconds that a mail may take
_LOOK = 0.02  #: seconds
_MOST = {WARM.name: 2.0, SCRIPT.name: 2.5}  #: times the floor
_WARMING = len(KINDS)  #: mails that don't count, one of each kind


@dataclass(frozen=True, slots=True)
class Delay:
    """Of one mail's handler, in seconds."""

    sent: float  #: since the mail was sent
    accepted: float  #: since the server's 250 was read


def measured(quick: bool) -> Iterator[Figure]:
    """Percentiles for each; ours against the floor."""
    contestants = [FLOOR, WARM, SCRIPT, TUNED_PARSING] if quick else [FLOOR, *OURS, *LOOPS, *peers.found()]
    with workbench() as bench:
        delays = delays_of(bench, contestants, 15 if quick else 150)
    yield from figures(delays)


def figures(delays: dict[str, list[Delay]]) -> Iterator[Figure]:
    """For each, and for ours what is asked of it."""
    spreads = {name: spread(one.sent for one in values) for name, values in delays.items()}
    own = {who.name for who in OURS}
    floor = spreads[FLOOR.name].p50
    best = min(found.p50 for name, found in spreads.items() if name not in own | {FLOOR.name, DISK})
    for name, found in spreads.items():
        yield Figure("L1", "p50", found.p50 * 1000, "ms", who=name)
        yield Figure("L1", "p95", found.p95 * 1000, "ms", who=name)
        yield Figure("L1", "p99", found.p99 * 1000, "ms", who=name)
        if name == DISK:
            continue
        yield Figure("L1", "p50 since the 250", spread(one.accepted for one in delays[name]).p50 * 1000, "ms", who=name)
        most = _MOST.get(name)
        yield judged("L1", "p50 / floor", found.p50 / floor, "x", name, most)
        yield judged("L1", "p99 / p50", found.p99 / found.p50, "x", name, most and 2.0)
        yield judged("L1", "p50 / best peer", found.p50 / best, "x", name, most and 1.5)


def delays_of(bench: Workbench, contestants: Sequence[Contestant], mails: int) -> dict[str, list[Delay]]:
    """What each mail took with each who took part; without those that fail."""
    users = [f"user-{number}" for number in range(len(contestants))]
    with prompt_dovecot(bench, users) as server, Post(server) as post, ExitStack() as at_end:
        runners = []
        for user, who in zip(users, contestants, strict=True):
            seat = Seat(bench, server, user, bench.home("seat"))
            runners.append(_Runner(who, seat, post, at_end.enter_context(taking_part(who, seat))))
        delays: dict[str, list[Delay]] = {one.who.name: [] for one in runners} | {DISK: []}
        for case in range(_WARMING + mails):
            if case and case % 50 == 0:
                say(f"L1: {case} mails")
            runners = [one for one in runners if _took(one, mail(case), delays[one.who.name])]
            delays[DISK].append(_synced(bench.place / "synced"))
    return {name: values[_WARMING:] for name, values in delays.items() if len(values) > _WARMING}


@dataclass(frozen=True, slots=True)
class _Runner:
    """One who takes part, at its place."""

    who: Contestant
    seat: Seat
    post: Post
    process: subprocess.Popen[bytes]

    def delay(self, one: Mail) -> Delay:
        """Deliver it and wait for its handler, by rare looks: these take time from it."""
        handed = self.post.deliver(self.seat.user, one.raw)
        begun = until(lambda: self._begun(one.case), _PATIENCE, f"mail {one.case}", every=_LOOK)
        return Delay(begun - handed.sent, begun - handed.accepted)

    def _begun(self, case: int) -> float | None:
        begun = self.who.handled(self.seat).get(case)
        if begun is None and self.process.poll() is not None:
            raise ChildProcessError(self.process.returncode)
        return begun


def _synced(file: Path) -> Delay:
    """What the disk needs to make one page durable, which we ask of it and the others don't."""
    with file.open("ab", buffering=0) as page:
        page.write(bytes(4096))
        began = time.monotonic()
        os.fdatasync(page.fileno())
        taken = time.monotonic() - began
    return Delay(taken, taken)


def _took(runner: _Runner, one: Mail, delays: list[Delay]) -> bool:
    """Whether it handled the mail; otherwise it is out, which is said."""
    try:
        delays.append(runner.delay(one))
    except (TimeoutError, ChildProcessError):
        say(f"L1: {runner.who.name} is left out, it did not handle mail {one.case}: {runner.seat.said()}")
        return False
    return True
