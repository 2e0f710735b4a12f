"""
T1, a full inbox: 2,000 mixed mails of 420 kB on average wait when the client connects. How many a second reach their
handlers, and what memory that takes. Who takes part has the machine for itself, one after the other, and is ended when
its time is over; then what it had done by then counts.
"""

import imaplib
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench import peers
from tests.bench.contestants import FLOOR, LOOPS, SCRIPT, TUNED_PARSING, WARM, Contestant, Seat, taking_part
from tests.bench.frame import Figure, say
from tests.bench.workbench import Workbench, prompt_dovecot, workbench
from tests.system.dovecot import Dovecot
from tests.system.mails import Mail, big_mail, mail
from tests.system.processes import Footprint, Gauge, cpu_of

__all__ = ["Run", "measured", "mixed", "run"]

_CHANCE = 8
_PATIENCE = 20.0  #: seconds for one who takes part
_AT_LENGTH = 60.0  #: for ourselves and the floor
_LOOK = 0.2  #: seconds
_ESTABLISHED = "01"  #: in the kernel's table
MB = 1e6

#: Of a hundred mails so many have about this size in bytes, and the others are small ones of every kind.
_SIZES = ((25, 125_000), (12, 1_460_000), (3, 7_400_000))


@dataclass(frozen=True, slots=True)
class Run:
    """What one did."""

    mails: int  #: that reached a handler
    size: int  #: bytes of them
    seconds: float  #: from its connecting to the start of the last one's handler
    peak: Footprint  #: of all its processes together
    cpu: float  #: seconds that they used, their start included


def mixed(count: int) -> Iterator[Mail]:
    """So many mails in an order that is always the same."""
    chance = random.Random(_CHANCE)
    kinds = [size for share, size in _SIZES for _ in range(share)]
    kinds += [0] * (100 - len(kinds))
    for case in range(count):
        if case % len(kinds) == 0:
            chance.shuffle(kinds)
        size = kinds[case % len(kinds)]
        yield big_mail(case, int(size * chance.uniform(0.6, 1.4))) if size else mail(case)


def measured(quick: bool) -> Iterator[Figure]:
    """The targets are ours against the floor, and against the best loop that parses too."""
    mails = 100 if quick else 2000
    contestants = [FLOOR, WARM, TUNED_PARSING] if quick else [FLOOR, WARM, SCRIPT, *LOOPS, *peers.found(), FLOOR, WARM]
    with workbench() as bench, prompt_dovecot(bench, ["full"]) as server:
        say(f"T1: filling an inbox with {mails} mails")
        sizes = fill(server, "full", mixed(mails))
        runs: dict[str, list[Run]] = {}
        for who in contestants:
            one = run(bench, server, "full", who, sizes, _AT_LENGTH if who in (FLOOR, WARM) else _PATIENCE)
            if one is None:
                continue
            say(f"T1: {who.name}: {one.mails} mails in {one.seconds:.1f} s")
            runs.setdefault(who.name, []).append(one)
    yield from figures(runs)


def figures(runs: dict[str, list[Run]]) -> Iterator[Figure]:
    """The best run of each, and the highest peak of its runs."""
    rates = {name: max(one.mails / one.seconds for one in those) for name, those in runs.items()}
    for name, rate in rates.items():
        best = max(runs[name], key=lambda one: one.mails / one.seconds)
        peak = max(one.peak.rss for one in runs[name]) / MB
        floor, loop = rate / rates[FLOOR.name], rate / rates[TUNED_PARSING.name]
        asked = name == WARM.name
        yield Figure("T1", "rate", rate, "mails/s", who=name)
        yield Figure("T1", "bytes", best.size / best.seconds / MB, "MB/s", who=name)
        yield Figure("T1", "rate / floor", floor, "x", *(("at least 0.4", floor >= 0.4) if asked else ()), who=name)
        yield Figure("T1", "rate / loop", loop, "x", *(("at least 1.6", loop >= 1.6) if asked else ()), who=name)
        yield Figure("T1", "CPU", best.cpu / best.mails * 1000, "ms/mail", who=name)
        yield Figure("T1", "peak RSS", peak, "MB", *(("under 200", peak < 200) if asked else ()), who=name)


def fill(server: Dovecot, user: str, mails: Iterator[Mail]) -> dict[int, int]:
    """Put them into the inbox as mail of two days ago; the size of each."""
    received = imaplib.Time2Internaldate(datetime.now(UTC) - timedelta(days=2))
    sizes = {}
    with server.imap(user) as link:
        for one in mails:
            link.append("INBOX", "", received, one.raw)
            sizes[one.case] = len(one.raw)
    return sizes


def run(
    bench: Workbench, server: Dovecot, user: str, who: Contestant, sizes: dict[int, int], seconds: float = _AT_LENGTH
) -> Run | None:
    """Let one handle all mails, or as many as it can in its time; None if it handled nothing, which is said."""
    seat = Seat(bench, server, user, bench.home("seat"))
    with taking_part(who, seat) as process, Gauge(process.pid) as gauge:
        began = _connected(process, server.port)
        _wait_for(who, seat, len(sizes), process, time.monotonic() + seconds)
        handled, cpu = who.handled(seat), cpu_of(process.pid)
    if began is None or not handled:
        say(f"{who.name} is left out, it handled nothing: {seat.said()}")
        return None
    began = min(began, *handled.values())  # a look from time to time may see the link after the first mail
    return Run(len(handled), sum(sizes[case] for case in handled), max(handled.values()) - began, gauge.peak, cpu)


def _connected(process: subprocess.Popen[bytes], port: int) -> float | None:
    """When the process, or one below it, first had a link to the server; None if it never had."""
    until = time.monotonic() + _AT_LENGTH
    while time.monotonic() < until and process.poll() is None:
        for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, state = row.split()[:4]
            if state == _ESTABLISHED and int(remote.rpartition(":")[2], 16) == port:
                return time.time()
        time.sleep(0.005)
    return None


def _wait_for(who: Contestant, seat: Seat, mails: int, process: subprocess.Popen[bytes], until: float) -> None:
    while time.monotonic() < until and process.poll() is None and len(who.handled(seat)) < mails:
        time.sleep(_LOOK)
