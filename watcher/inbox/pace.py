"""How soon a folder is looked at again where the server keeps saying that there is news and there is none."""

from watcher.retry import doubled

__all__ = ["Pace"]

QUICK = 5.0  #: seconds; looks further apart than this are no hurry
FREE = 3  #: hurried looks in vain that cost nothing: news may come in pieces
FIRST_WAIT = 0.1  #: seconds; doubles
LONGEST_WAIT = 10.0


class Pace:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self.last = -QUICK
        self.in_vain = 0

    def next(self, now: float, *, in_vain: bool) -> float:
        """When the next look may begin, after one that has just ended; `in_vain`: news was told, and there is none."""
        hurried = now - self.last < QUICK + self.wait()
        self.in_vain = self.in_vain + 1 if hurried and in_vain else 0
        self.last = now
        return now + self.wait()

    def wait(self) -> float:
        return 0.0 if self.in_vain <= FREE else doubled(FIRST_WAIT, self.in_vain - FREE - 1, LONGEST_WAIT)
