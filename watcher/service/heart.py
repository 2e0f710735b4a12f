"""The heartbeat: tells systemd that we are ready, how we are, and that we live, as long as all parts move."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from watcher.inbox.pulse import WATCHED, Pulse
from watcher.service.systemd import ServiceManager
from watcher.service.vitals import headline, stalled

__all__ = ["Heart", "Parts"]

log = logging.getLogger(__name__)

RHYTHM = 5.0  #: seconds between two beats, fewer for an impatient watchdog
FIRST_RHYTHM = 0.5  #: until we are ready
MOST_LINES = 100  #: of a page
FIRST_ANSWERS = 60.0  #: seconds after which we are ready, though some account has not even failed


class Moving(Protocol):
    """A part with a thread that looks up every now and then."""

    @property
    def moved_at(self) -> float:
        """When it last did, in monotonic seconds."""


Parts = Mapping[str, Moving]


class Heart:
    """Beats in the main thread."""

    def __init__(
        self,
        manager: ServiceManager,
        pulses: Callable[[], Sequence[Pulse]],
        parts: Parts,
        running: Callable[[], int],
        *,
        begun: Callable[[], None],
        now: float,
    ) -> None:
        """
        `parts`: all that must move, by name; `running`: jobs; `begun` is called once we are ready; `now`: monotonic
        seconds, as in `beat`.
        """
        self.manager = manager
        self.pulses = pulses
        self.parts = parts
        self.running = running
        self.begun = begun
        self.born = now
        self.ready = False
        self.told = ""
        self.trouble: str | None = None

    @property
    def rhythm(self) -> float:
        """Seconds until the next beat."""
        return min(RHYTHM, (self.manager.watchdog or math.inf) / 3) if self.ready else FIRST_RHYTHM

    def beat(self, now: float) -> None:
        """Tell what has changed since the last one."""
        pulses = self.pulses()
        status = headline(pulses, self.running())
        if not self.ready:
            self.ready = all(pulse.answered for pulse in pulses) or now - self.born > FIRST_ANSWERS
            if self.ready:
                self.manager.ready(status)
                log.info("ready: %s", status)
                self.begun()
        if status != self.told:
            self.told = status
            self.manager.status(status)
        trouble = stalled({name: part.moved_at for name, part in self.parts.items()}, pulses, now)
        if trouble is None:
            self.manager.well()
        elif trouble != self.trouble:
            log.error("the watchdog is not fed any more: %s", trouble)
        self.trouble = trouble

    def reload(self, look: Callable[[], None]) -> None:
        """Have changed files looked at, between the words that systemd expects."""
        if self.ready:
            self.manager.reloading()
        look()
        if self.ready:
            self.manager.ready(self.told)

    def health(self) -> tuple[int, bytes]:
        """Whether the process is well, as a page: 200 or 503."""
        return (503, f"{self.trouble}\n".encode()) if self.trouble else (200, b"well\n")

    def readiness(self) -> tuple[int, bytes]:
        """Whether every folder is watched, as a page: 200, or 503 with a line for each that is not."""
        lines = [
            f"{pulse.account}/{pulse.folder}: {pulse.state}{': ' if pulse.trouble else ''}{pulse.trouble}"
            for pulse in self.pulses()
            if pulse.state not in WATCHED
        ]
        if self.ready and not lines:
            return 200, f"{self.told}\n".encode()
        return 503, "\n".join([*lines[:MOST_LINES], *(["..."] if len(lines) > MOST_LINES else []), ""]).encode()
