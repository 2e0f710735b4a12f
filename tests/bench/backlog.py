"""
From a real Dovecot to a warm handler: old mails that wait when the daemon starts, and while they are worked off fresh
ones that come by LMTP.
"""

import imaplib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.frame import Figure, judged, say, spread
from tests.bench.workbench import Post, prompt_dovecot, workbench
from tests.system.daemon import Daemon, Watched
from tests.system.mails import Mail, mails
from tests.system.processes import Gauge

__all__ = ["measured"]

_HANDLER = """
import time
def handle(message):
    with open({log!r}, "a", buffering=1) as log:
        log.write(f"{{message.header('X-Case')}} {{time.time()}}\\n")
"""
_PAUSE = 0.3  #: seconds between two fresh mails
_PATIENCE = 300.0
MB = 1 << 20


def measured(quick: bool) -> Iterator[Figure]:
    """Mails a second and memory for the backlog; how long fresh mails take meanwhile and afterwards."""
    count, calm = (300, 10) if quick else (10_000, 60)
    received = imaplib.Time2Internaldate(datetime.now(UTC) - timedelta(days=2))
    with workbench() as bench, prompt_dovecot(bench, ["alice"]) as server, Post(server) as post:
        place = bench.home("backlog")
        log = place / "handled"
        with server.imap("alice") as link:
            for one in mails(count):
                link.append("INBOX", "", received, one.raw)
        say(f"backlog: {count} mails wait")
        handlers = {"log.py": _HANDLER.format(log=str(log))}
        began = time.time()
        with Daemon(place, server, [Watched("alice")], handlers=handlers) as run:
            with Gauge(run.pid) as gauge:
                run.until(lambda: _handled(log), _PATIENCE, "the first of them to be handled")
                busy = _deliver(post, mails(10_000, first=count), lambda: not _handled(log).keys() >= set(range(count)))
                run.until(lambda: _handled(log).keys() >= set(range(count)), _PATIENCE, "the backlog to be handled")
            say("backlog: worked off")
            idle = _deliver(post, mails(calm, first=50_000), lambda: True)
            run.until(lambda: _handled(log).keys() >= busy.keys() | idle.keys(), 60, "the fresh mails to be handled")
        handled = _handled(log)
    taken = max(handled[case] for case in range(count)) - began
    yield Figure("backlog", f"{count} old mails, from the start of the daemon", count / taken, "mails/s")
    yield Figure("backlog", "peak memory of all processes", gauge.peak.rss / MB, "MB")
    calmly = spread(handled[case] - at for case, at in idle.items())
    for what, sent in (("meanwhile", busy), ("afterwards", idle)):
        found = spread(handled[case] - at for case, at in sent.items())
        yield Figure("backlog", f"fresh mails {what}: median of {len(sent)}", found.p50 * 1000, "ms")
        yield Figure("backlog", f"fresh mails {what}: p99", found.p99 * 1000, "ms")
        if sent is busy:
            yield judged("backlog", "p99 meanwhile / afterwards", found.p99 / calmly.p99, "x", "ours", 2.0)


def _deliver(post: Post, made: Iterable[Mail], wanted: Callable[[], bool]) -> dict[int, float]:
    """Deliver one mail after the other as long as it is wanted; when each was sent."""
    pause, sent = threading.Event(), {}
    for one in made:
        pause.wait(_PAUSE)
        if not wanted():
            break
        sent[one.case] = post.deliver("alice", one.raw).sent
    return sent


def _handled(log: Path) -> dict[int, float]:
    """When each mail reached the handler."""
    rows = [row.split() for row in log.read_text().splitlines()] if log.exists() else []
    return {int(case): float(when) for case, when in rows}
