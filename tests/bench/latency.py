"""
L1, one mail at a time: from the server's 250 by LMTP to the start of the handler. All who take part idle side by side,
each on an inbox of its own, and have a mail in turn, so that what else the machine does meets all alike.
"""

import smtplib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench import peers
from tests.bench.contestants import FLOOR, LOOPS, OURS, SCRIPT, WARM, Contestant, Seat, taking_part
from tests.bench.frame import Figure, judged, say, spread
from tests.bench.workbench import Workbench, lmtp, prompt_dovecot, workbench
from tests.system.mails import Mail, mail
from tests.system.waiting import until

__all__ = ["measured"]

_PATIENCE = 30.0  #: seconds that a mail may take
_LOOK = 0.02  #: seconds
_SENDER = "sender@example.org"
_MOST = {WARM.name: 2.0, SCRIPT.name: 2.5}  #: times the floor
_WARMING = 5  #: mails that don't count


def measured(quick: bool) -> Iterator[Figure]:
    """Percentiles for each; ours against the floor."""
    contestants = [FLOOR, *OURS, *LOOPS, *([] if quick else peers.found())]
    with workbench() as bench:
        delays = delays_of(bench, contestants, 20 if quick else 200)
    yield from figures(delays)


def figures(delays: dict[str, list[float]]) -> Iterator[Figure]:
    """For each, and for ours what is asked of it."""
    spreads = {name: spread(values) for name, values in delays.items()}
    own = {who.name for who in OURS}
    floor = spreads[FLOOR.name].p50
    best = min(found.p50 for name, found in spreads.items() if name not in own | {FLOOR.name})
    for name, found in spreads.items():
        yield Figure("L1", "p50", found.p50 * 1000, "ms", who=name)
        yield Figure("L1", "p95", found.p95 * 1000, "ms", who=name)
        yield Figure("L1", "p99", found.p99 * 1000, "ms", who=name)
        most = _MOST.get(name)
        yield judged("L1", "p50 / floor", found.p50 / floor, "x", name, most)
        yield judged("L1", "p99 / p50", found.p99 / found.p50, "x", name, most and 2.0)
        yield judged("L1", "p50 / best peer", found.p50 / best, "x", name, most and 1.5)


def delays_of(bench: Workbench, contestants: Sequence[Contestant], mails: int) -> dict[str, list[float]]:
    """Seconds for each mail of each who took part; without those that fail."""
    users = [f"user-{number}" for number in range(len(contestants))]
    with prompt_dovecot(bench, users) as server, lmtp(server) as post, ExitStack() as at_end:
        runners = {}
        for user, who in zip(users, contestants, strict=True):
            runner = _Runner(who, Seat(bench, server, user, bench.home("seat")), post)
            at_end.enter_context(taking_part(who, runner.seat))
            try:
                runner.delay(mail(0))
            except TimeoutError:
                say(f"L1: {who.name} is left out, it handled nothing: {runner.seat.said()}")
                continue
            runners[who.name] = runner
        delays: dict[str, list[float]] = {name: [] for name in runners}
        for case in range(1, _WARMING + mails):
            if case % 50 == 0:
                say(f"L1: mail {case} of {mails}")
            for name in list(runners):
                try:
                    delays[name].append(runners[name].delay(mail(case)))
                except TimeoutError:
                    said = runners.pop(name).seat.said()
                    say(f"L1: {name} is left out from here on, it did not handle mail {case}: {said}")
    return {name: values[_WARMING - 1 :] for name, values in delays.items() if len(values) >= _WARMING}


@dataclass(frozen=True, slots=True)
class _Runner:
    """One who takes part, at its place."""

    who: Contestant
    seat: Seat
    post: smtplib.LMTP

    def delay(self, one: Mail) -> float:
        """Deliver it and wait for its handler, by rare looks: these take time from it."""
        self.post.sendmail(_SENDER, [self.seat.user], one.raw, mail_options=["BODY=8BITMIME"])
        delivered = time.time()
        begun = until(lambda: self.who.handled(self.seat).get(one.case), _PATIENCE, f"mail {one.case}", every=_LOOK)
        return begun - delivered
