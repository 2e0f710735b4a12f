"""B1, one mail of 50 MB that waits when the client connects: what memory it takes, and how long. Quickly: of 10 MB."""

from collections.abc import Iterator

from tests.bench import peers
from tests.bench.contestants import FLOOR, LOOPS, OURS, TUNED_PARSING, WARM
from tests.bench.frame import Figure, say
from tests.bench.throughput import MB, fill, run
from tests.bench.workbench import prompt_dovecot, workbench
from tests.system.mails import big_mail

__all__ = ["measured"]

_SIZE = 50_000_000
_MOST = 150.0


def measured(quick: bool) -> Iterator[Figure]:
    """The target is for all our processes together."""
    contestants = [FLOOR, WARM, TUNED_PARSING] if quick else [FLOOR, *OURS, *LOOPS, *peers.found()]
    own = {who.name for who in OURS}
    with workbench() as bench, prompt_dovecot(bench, ["big"]) as server:
        sizes = fill(server, "big", iter([big_mail(1, _SIZE // 5 if quick else _SIZE)]))
        for who in contestants:
            if (one := run(bench, server, "big", who, sizes)) is None:
                continue
            peak = one.peak.rss / MB
            say(f"B1: {who.name}: {peak:.0f} MB, {one.seconds:.2f} s")
            judged = ("under 150", peak < _MOST) if who.name in own else ("", None)
            yield Figure("B1", "peak RSS", peak, "MB", *judged, who=who.name)
            yield Figure("B1", "until the handler", one.seconds, "s", who=who.name)
