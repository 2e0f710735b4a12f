"""What can be measured from outside, by the conventions of Prometheus; each label has few values."""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, time

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from watcher.inbox.pulse import WATCHED, Pulse, State
from watcher.model import Kind, Outcome, Status, Verdict, Work
from watcher.outbox.canary import Song

__all__ = ["Metrics", "Readings"]

MOST_ACCOUNTS = (
    200  #: with more of them, only their states are counted: a label for each would be a burden to Prometheus
)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
LAGS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86400.0)


class Metrics:
    """Counted as things happen. Safe to use from many threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        into = self.registry
        self._runs = Histogram(
            "imap_watcher_handler_run_seconds", "Time of handler runs.", ["handler"], buckets=SECONDS, registry=into
        )
        self._ends = Counter(
            "imap_watcher_attempts", "Attempts that ended, by what came of them.", ["kind", "status"], registry=into
        )
        self._lag = Histogram(
            "imap_watcher_mail_lag_seconds", "From INTERNALDATE to a handler's end.", buckets=LAGS, registry=into
        )

    @contextmanager
    def run(self, handler: str) -> Iterator[None]:
        """Measure one run of a handler."""
        began = monotonic()
        try:
            yield
        finally:
            self._runs.labels(handler).observe(monotonic() - began)

    def ended(self, work: Work, outcome: Outcome, status: Status) -> None:
        """An attempt is over, and what came of it is on record."""
        self._ends.labels(work.kind, "held" if outcome.verdict is Verdict.HOLD else status).inc()
        if work.kind is Kind.JOB and work.attempt == 1:
            self._lag.observe(max(0.0, time() - work.received.timestamp()))

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)


class Readings(Collector):
    """What is read when somebody asks: how the accounts are, and what is in the ledger."""

    def __init__(
        self,
        pulses: Callable[[], Sequence[Pulse]],
        counts: Callable[[], Mapping[str, Mapping[str, int]]],
        free: Callable[[], int],
        songs: Callable[[], Sequence[Song]],
    ) -> None:
        """`counts`: pieces of work by kind and status; `free`: bytes left for the spool; `songs`: of canaries."""
        self.pulses = pulses
        self.counts = counts
        self.free = free
        self.songs = songs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        pulses, now = self.pulses(), monotonic()
        states = GaugeMetricFamily("imap_watcher_folders", "Watched folders, by state.", labels=["state"])
        found = Tally(pulse.state for pulse in pulses)
        for state in State:
            states.add_metric([state], found[state])
        yield states
        yield from self._accounts(pulses, now)
        yield from self._canaries()
        work = GaugeMetricFamily("imap_watcher_work", "Pieces of work in the ledger.", labels=["kind", "status"])
        for kind, statuses in self.counts().items():
            for status, number in statuses.items():
                work.add_metric([kind, status], number)
        yield work
        yield GaugeMetricFamily("imap_watcher_spool_free_bytes", "Room for mails on the disk.", self.free())

    def _accounts(self, pulses: Sequence[Pulse], now: float) -> Iterator[GaugeMetricFamily]:
        names = {pulse.account for pulse in pulses}
        if len(names) > MOST_ACCOUNTS:
            return
        up = GaugeMetricFamily("imap_watcher_account_up", "1 if all of its folders are watched.", labels=["account"])
        heard = GaugeMetricFamily(
            "imap_watcher_account_silence_seconds", "Since its server last answered.", labels=["account"]
        )
        for name in sorted(names):
            own = [pulse for pulse in pulses if pulse.account == name]
            up.add_metric([name], all(pulse.state in WATCHED for pulse in own))
            if all(pulse.heard_at for pulse in own):
                heard.add_metric([name], max(now - pulse.heard_at for pulse in own))
        yield up
        yield heard

    def _canaries(self) -> Iterator[GaugeMetricFamily]:
        songs = self.songs()
        missing = GaugeMetricFamily("imap_watcher_canaries_missing", "Accounts whose canary is missing.")
        missing.add_metric([], sum(bool(song.missing) for song in songs))
        yield missing
        if len(songs) > MOST_ACCOUNTS:
            return
        age = GaugeMetricFamily("imap_watcher_canary_age_seconds", "Since the last canary came in.", labels=["account"])
        took = GaugeMetricFamily(
            "imap_watcher_canary_round_trip_seconds",
            "From sending the last canary until it came in.",
            labels=["account"],
        )
        for song in songs:
            if song.came_at is not None and song.took is not None:
                age.add_metric([song.account], max(0.0, time() - song.came_at))
                took.add_metric([song.account], song.took)
        yield age
        yield took
