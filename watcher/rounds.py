"""The rounds of the main thread: what is to be looked at from time to time, and has no thread of its own."""

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from watcher.house import House
from watcher.outbox.alarm import Alarm
from watcher.outbox.fallback import Fallback
from watcher.service.clock import ClockWatch
from watcher.service.life import Life
from watcher.stage import Stage

__all__ = ["Rounds"]

log = logging.getLogger(__name__)

APART = 60.0  #: seconds between two looks at what is in no hurry


@dataclass(slots=True)
class Rounds:
    """One after each heartbeat."""

    house: House
    stages: Collection[Stage]
    sending: Stage  #: the one of them that finds the letters written on the way
    life: Life
    alarm: Alarm
    fallback: Fallback
    clock: ClockWatch = field(default_factory=ClockWatch)
    next_at: float = 0.0  #: when the next look at what is in no hurry is due, monotonic

    def go(self, now: float) -> None:
        """Another round; `now` in monotonic seconds. None while the disk is full: each of them writes."""
        if self.house.ledger.waits:
            return
        self.follow_clock()
        self.alarm.flush_due(time.time())
        self.fallback.flush_due(time.time())
        if now >= self.next_at:
            self.next_at = now + APART
            clear_away(self.house, time.time())
            self.life.look(now)
            if self.house.canaries.look(time.time()):
                self.sending.bell.ring()

    def follow_clock(self) -> None:
        """If somebody has set it, due times and holds go with it."""
        if jump := self.clock.jump():
            log.warning("the clock was set by %+.0f s: what waits goes on waiting as long as before", jump)
            self.house.ledger.clock_set(jump)
            for stage in self.stages:  # their holds are until a time of the clock as it was
                stage.resume()


def clear_away(house: House, now: float) -> None:
    """Remove what is long finished; first from the ledger, so that a crash leaves only rubbish."""
    settings = house.config.watcher
    while keys := house.desk.clear(now - settings.keep_done, now - settings.keep_dead):
        house.spool.remove(keys)
        log.info("cleared away %d finished mails", len(keys))
    house.ledger.keep_reserve()
