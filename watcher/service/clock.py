"""Notices when the clock of the machine is set: by a person, or by NTP after a start without network."""

import time
from collections.abc import Callable

__all__ = ["ClockWatch"]

SLACK = 60.0  #: seconds by which it may be off before that counts as set


def ahead() -> float:
    """By how much the clock is ahead of the time since the machine started, in which its sleep is counted."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockWatch:
    """Compares the clock with one that nobody can set."""

    def __init__(self, ahead: Callable[[], float] = ahead) -> None:
        self.ahead = ahead
        self.known = ahead()

    def jump(self) -> float:
        """By how many seconds the clock was set since the last call, 0 if it was not; back is negative."""
        by = self.ahead() - self.known
        if abs(by) < SLACK:
            return 0.0
        self.known += by
        return by
