"""
M1, thousands of idle mailboxes in one daemon, against a server that costs little: what each holds in memory, what they
cost at rest, how long the start takes, and how soon a mail to each is with its handler.

Beside it in the same run one epoll loop of bare TLS sockets, and one of imapclient. Neither keeps or parses anything;
the daemon has each mail on disk, durable and taken apart, before its handler sees it.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.crowds import BARE, IMAPCLIENT, KINDS
from tests.bench.frame import Figure, Spread, judged, say, spread
from tests.bench.mailboxes import Mailboxes
from tests.bench.watching import daemon, handled, until
from tests.system.processes import cpu_of, descendants, memory_of, usage

__all__ = ["measured"]

_OURS = "ours, warm Python"
_PATIENCE = 600.0
_PACE = 100.0  #: mails a second, each to another mailbox
_PACED = 1000  #: of them at most
_FIRST = 20  #: before them, while the processes start that take mails apart and run the handler
_CALM = 0.03  #: part of a processor, with less of which a start is over
_USUAL = 240.0  #: seconds between two renewals of an IDLE, if nothing shortens it
KB = 1 << 10


@dataclass(frozen=True)
class Crowd:
    """What so many mailboxes were measured to need."""

    rss: int  #: bytes of all processes at rest
    threads: int
    started: float  #: seconds from the start until all are in IDLE
    start_cpu: float  #: seconds of processor that this took
    rest_cpu: float  #: part of a processor at rest, with renewals at their usual pace
    paced: Spread  #: delays of mails that come one by one, in seconds
    at_once: Spread  #: of mails that come all at one moment
    mail_cpu: float  #: seconds of processor for each of these


def measured(quick: bool) -> Iterator[Figure]:
    """Memory of each is the difference to a daemon, or a loop, with few."""
    few, crowds = (20, (200,)) if quick else (100, (1000, 5000))
    base = {who: measure(who, few).rss for who in (*KINDS, _OURS)}
    for many in crowds:
        found = {who: measure(who, many) for who in base}
        if not quick:
            found[_OURS] = replace(found[_OURS], rest_cpu=at_rest(many, renew=40))
        each = {who: (crowd.rss - base[who]) / (many - few) / KB for who, crowd in found.items()}
        for who, crowd in found.items():
            asked = who == _OURS and many == 5000
            name = f"M1 {many:,}"
            yield Figure(name, "memory of each", each[who], "kB", who=who)
            yield judged(name, "memory / floor", each[who] / each[BARE], "x", who, 1.6 if asked else None)
            yield judged(name, "threads", crowd.threads, "", who, 47 if asked else None)
            yield judged(name, "at rest", crowd.rest_cpu * 100, "% CPU", who, 1.0 if asked else None)
            yield judged(name, "all live after", crowd.started, "s", who, 60.0 if asked else None)
            yield Figure(name, "start, CPU of each", crowd.start_cpu / many * 1000, "ms", who=who)
            yield Figure(name, "paced p50", crowd.paced.p50 * 1000, "ms", who=who)
            yield Figure(name, "paced p99", crowd.paced.p99 * 1000, "ms", who=who)
            times = crowd.paced.p99 / found[IMAPCLIENT].paced.p99
            yield judged(name, "paced p99 / imapclient", times, "x", who, 2.0 if asked else None)
            yield Figure(name, "at once p50", crowd.at_once.p50 * 1000, "ms", who=who)
            yield Figure(name, "at once p99", crowd.at_once.p99 * 1000, "ms", who=who)
            yield Figure(name, "CPU of a mail", crowd.mail_cpu * 1000, "ms", who=who)


def measure(who: str, many: int) -> Crowd:
    """None of them renews anything meanwhile: all is over before the first IDLE is that old."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place, Mailboxes() as server:
        log, began = Path(place, "handled"), time.monotonic()
        log.touch()
        with running(who, server, Path(place), log, many) as pid:
            until(lambda: server.idling() == many, _PATIENCE, "the start")
            started, start_cpu = time.monotonic() - began, cpu_of(pid)
            rest = cpu_in(pid, 3.0)
            rss, threads = memory_of(descendants(pid)).rss, usage(pid).threads
            burst(server, log, pid, _FIRST, _PACE)
            paced, _ = burst(server, log, pid, min(many, _PACED), _PACE)
            at_once, cpu = burst(server, log, pid, many, 0.0)
        say(f"M1: {who}: {many} mailboxes, {rss / KB:.0f} kB, live after {started:.1f} s")
        return Crowd(rss, threads, started, start_cpu, rest, paced, at_once, cpu / many)


def at_rest(many: int, renew: int) -> float:
    """Part of a processor that ours needs at rest: in a life in which it renews each IDLE after so many seconds, with
    the renewals' part of it brought down to their usual pace."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place, Mailboxes() as server:
        log = Path(place, "handled")
        log.touch()
        with running(_OURS, server, Path(place), log, many, renew) as pid:
            until(lambda: server.idling() == many, _PATIENCE, "the start")
            until(lambda: cpu_in(pid, 1.0) < _CALM, _PATIENCE, "rest")
            alone = cpu_in(pid, 3.0)
            return alone + (cpu_in(pid, renew) - alone) * renew / _USUAL


@contextmanager
def running(who: str, server: Mailboxes, place: Path, log: Path, many: int, renew: int = 0) -> Iterator[int]:
    """The process that watches so many mailboxes."""
    if who == _OURS:
        with daemon(server, place, log, many, f'renew = "{renew}s"' if renew else "") as one:
            yield one.pid
        return
    command = [sys.executable, "-m", "tests.bench.crowds", who, str(server.port), server.ca_file, log, str(many)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process.pid
        process.stdin.close()
        process.wait(60)


def cpu_in(pid: int, seconds: float) -> float:
    """Part of a processor that is used in the next seconds."""
    before, began = cpu_of(pid), time.monotonic()
    threading.Event().wait(seconds)
    return (cpu_of(pid) - before) / (time.monotonic() - began)


def burst(server: Mailboxes, log: Path, pid: int, many: int, pace: float) -> tuple[Spread, float]:
    """How long each of so many mails took, and the seconds of processor for all of them."""
    before = cpu_of(pid)
    sent = server.burst(many, pace)
    until(lambda: handled(log).keys() >= sent.keys(), _PATIENCE, "a mail to each")
    seen = handled(log)
    return spread(seen[case] - at for case, at in sent.items()), cpu_of(pid) - before
