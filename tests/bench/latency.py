"""
L1, one mail at a time: from the server's 250 by LMTP to the start of the handler. All who take part idle side by side,
each on an inbox of its own, and have a mail in turn, so that what else the machine does meets all alike.
"""

import smtplib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from tests.bench.contestants import FLOOR, LOOPS, OURS, Contestant, Seat, taking_part
from tests.bench.frame import Figure, say, spread
from tests.bench.workbench import Workbench, lmtp, prompt_dovecot, workbench
from tests.system.mails import Mail, mail
from tests.system.waiting import until

__all__ = ["measured"]

_PATIENCE = 30.0  #: seconds that a mail may take
_PAUSE = 0.02  #: seconds between one mail's handler and the next mail
_WARMING = 5  #: mails that don't count


def measured(quick: bool) -> Iterator[Figure]:
    """Percentiles for each; ours against the floor."""
    contestants = [FLOOR, *OURS, *LOOPS]
    with workbench() as bench:
        delays = delays_of(bench, contestants, 20 if quick else 200)
    yield from figures(delays)


def figures(delays: dict[str, list[float]]) -> Iterator[Figure]:
    floor = spread(delays[FLOOR.name]).p50
    for name, values in delays.items():
        found = spread(values)
        yield Figure("L1", "p50", found.p50 * 1000, "ms", who=name)
        yield Figure("L1", "p95", found.p95 * 1000, "ms", who=name)
        yield Figure("L1", "p99", found.p99 * 1000, "ms", who=name)
        yield Figure("L1", "p50 / floor", found.p50 / floor, "x", who=name)


def delays_of(bench: Workbench, contestants: Sequence[Contestant], mails: int) -> dict[str, list[float]]:
    """Seconds for each mail of each who took part; without those that fail."""
    users = [f"user-{number}" for number in range(len(contestants))]
    with prompt_dovecot(bench, users) as server, lmtp(server) as post, ExitStack() as at_end:
        seated = {}
        for user, who in zip(users, contestants, strict=True):
            seat = Seat(bench, server, user, bench.home("seat"))
            at_end.enter_context(taking_part(who, seat))
            try:
                _delay(post, seat, mail(0))
            except TimeoutError:
                said = (seat.home / "said").read_text(errors="replace").strip()[-300:]
                say(f"L1: {who.name} is left out, it handled nothing: {said}")
                continue
            seated[who.name] = seat
        delays: dict[str, list[float]] = {name: [] for name in seated}
        for case in range(1, _WARMING + mails):
            if case % 50 == 0:
                say(f"L1: mail {case} of {mails}")
            for name, seat in seated.items():
                delays[name].append(_delay(post, seat, mail(case)))
    return {name: values[_WARMING - 1 :] for name, values in delays.items()}


def _delay(post: smtplib.LMTP, seat: Seat, one: Mail) -> float:
    """Deliver it and wait for its handler."""
    post.sendmail("sender@example.org", [seat.user], one.raw, mail_options=["BODY=8BITMIME"])
    delivered = time.time()
    begun = until(lambda: _begun(seat).get(one.case), _PATIENCE, f"mail {one.case} in {seat.log}", every=0.002)
    time.sleep(_PAUSE)
    return begun - delivered


def _begun(seat: Seat) -> dict[int, float]:
    """When the handler of each mail began."""
    rows = [row.split() for row in seat.log.read_text().splitlines()] if seat.log.exists() else []
    return {int(case): float(when) for case, when in rows}
