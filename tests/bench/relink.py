"""R1, a link that is cut by RST while a mail comes: how long until that mail is with its handler."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.frame import Figure, judged, say, spread
from tests.bench.mailboxes import Mailboxes
from tests.bench.watching import daemon, handled, until

__all__ = ["measured"]

_USER = "user-0"
_MOST = 1.5


def measured(quick: bool) -> Iterator[Figure]:
    """The wait before the first try is by chance, up to a second, so that thousands don't come at one moment."""
    rounds = 4 if quick else 25
    delays = []
    with tempfile.TemporaryDirectory(prefix="bench-") as place, Mailboxes() as server:
        log = Path(place, "handled")
        log.touch()
        with daemon(server, Path(place), log, 1):
            for _ in range(rounds):
                until(lambda: server.idling() == 1, 60, "the link")
                case, at = server.reset(_USER)
                until(lambda case=case: case in handled(log), 60, "the mail")
                delays.append(handled(log)[case] - at)
    found = spread(delays)
    say(f"R1: {rounds} cuts, {found.p50:.2f} s")
    yield judged("R1", "from the cut to the handler, median", found.p50, "s", "ours", _MOST)
    yield Figure("R1", f"the longest of {rounds}", max(delays), "s")
