"""
From a real Dovecot to a warm handler: old mails that wait when the daemon starts, and while they are worked off fresh
ones that come by LMTP. Dovecot tells of a fresh mail up to 500 ms late; that is in the delays of both columns.
"""

import imaplib
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from tests.bench.frame import Figure
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
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
_PATIENCE = 600.0
MB = 1 << 20


def measured(quick: bool) -> Iterator[Figure]:
    """Mails a second and memory for the backlog; how long fresh mails take meanwhile and afterwards."""
    count, calm = (300, 10) if quick else (2000, 30)
    old = list(mails(count))
    received = imaplib.Time2Internaldate(datetime.now(UTC) - timedelta(days=2))
    with tempfile.TemporaryDirectory(prefix="bench-") as place, Dovecot() as server:
        log = Path(place, "handled")
        with server.imap("alice") as link:
            for one in old:
                link.append("INBOX", "", received, one.raw)
        handlers = {"log.py": _HANDLER.format(log=str(log))}
        began = time.time()
        with Daemon(Path(place), server, [Watched("alice")], handlers=handlers) as run:
            with Gauge(run.pid) as gauge:
                busy = _deliver(
                    server, mails(10_000, first=count), lambda: not _handled(log).keys() >= set(range(count))
                )
                run.until(lambda: _handled(log).keys() >= set(range(count)), _PATIENCE, "the backlog to be handled")
            idle = _deliver(server, mails(calm, first=20_000), lambda: True)
            run.until(lambda: _handled(log).keys() >= busy.keys() | idle.keys(), 60, "the fresh mails to be handled")
        handled = _handled(log)
    taken = max(handled[one.case] for one in old) - began
    yield Figure("backlog", f"{count} old mails, from the start of the daemon", count / taken, "mails/s")
    yield Figure("backlog", "peak memory of all processes", gauge.peak.rss / MB, "MB")
    for what, sent in (("fresh mails meanwhile", busy), ("fresh mails afterwards", idle)):
        delays = sorted(handled[case] - at for case, at in sent.items())
        yield Figure("backlog", f"{what}: median of {len(delays)}", median(delays) * 1000, "ms")
        yield Figure("backlog", f"{what}: longest", delays[-1] * 1000, "ms")


def _deliver(server: Dovecot, made: Iterable[Mail], wanted: Callable[[], bool]) -> dict[int, float]:
    """Deliver one mail after the other as long as it is wanted; when each was accepted."""
    pause, sent = threading.Event(), {}
    for one in made:
        pause.wait(_PAUSE)
        if not wanted():
            break
        server.deliver("alice", one.raw)
        sent[one.case] = time.time()
    return sent


def _handled(log: Path) -> dict[int, float]:
    """When each mail reached the handler."""
    rows = [row.split() for row in log.read_text().splitlines()] if log.exists() else []
    return {int(case): float(when) for case, when in rows}
