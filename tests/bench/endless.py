"""
D1, the memory of a daemon that has handled very many mails: short ones, that wait in ten mailboxes, each the whole way
from the server to a warm handler, with everything kept that is kept for a week.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from tests.bench.frame import Figure, judged, say
from tests.bench.mailboxes import Mailboxes
from tests.bench.watching import daemon
from tests.system.processes import descendants, memory_of

__all__ = ["measured"]

_MAILBOXES = 10
_MOST = 1.05
MB = 1 << 20


def measured(quick: bool) -> Iterator[Figure]:
    """As many of the mails as fit in the time; memory is the mean of each quarter of them."""
    mails, seconds = (600, 8.0) if quick else (100_000, 150.0)
    samples = _watched(mails, seconds)
    count = samples[-1][0]
    quarters = [[rss for done, rss in samples if part * count <= 4 * done < (part + 1) * count] for part in range(4)]
    means = [fmean(rss) if rss else 0.0 for rss in quarters]
    say(f"D1: {count} mails, " + ", ".join(f"{mean / MB:.1f} MB" for mean in means))
    yield Figure("D1", "mails handled", count, "")
    for name, mean in zip(("first", "second", "third", "last"), means, strict=True):
        yield Figure("D1", f"memory in the {name} quarter", mean / MB, "MB")
    asked = _MOST if not quick else None
    yield judged("D1", "last quarter / second", means[3] / means[1], "x", "ours", asked)


def _watched(mails: int, seconds: float) -> list[tuple[int, int]]:
    """How many mails were handled, and the bytes of all processes then, several times a second."""
    samples = []
    with tempfile.TemporaryDirectory(prefix="bench-") as place, Mailboxes(waiting=mails // _MAILBOXES) as server:
        log, pause = Path(place, "handled"), threading.Event()
        log.touch()
        with daemon(server, Path(place), log, _MAILBOXES, 'start = "all"') as one, log.open() as lines:
            done, until = 0, time.monotonic() + seconds
            while done < mails and time.monotonic() < until:
                pause.wait(0.2)
                done += sum(1 for _ in lines)
                samples.append((done, memory_of(descendants(one.pid)).rss))
    return samples
