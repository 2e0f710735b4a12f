"""Work in lanes, such as all of one handler or of one account: how much runs in each, and which are on hold."""

import threading
from collections import Counter

from watcher.craft import Craft

__all__ = ["Bell", "Roster"]


class Bell:
    """Rings when there may be work. A ring that came before the waiting began is heard as well."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.rings = 0

    def ring(self) -> None:
        with self.condition:
            self.rings += 1
            self.condition.notify_all()

    def wait(self, heard: int, timeout: float) -> None:
        """Until it has rung since `heard`, at most `timeout` seconds."""
        with self.condition:
            self.condition.wait_for(lambda: self.rings != heard, timeout)


class Roster:
    """Which lanes of a craft have how many runs, and may have more, and which are on hold until a time."""

    def __init__(self, craft: Craft) -> None:
        self.craft = craft
        self.lock = threading.Lock()
        self.running: Counter[str] = Counter()
        self.held: dict[str, float] = {}
        self.told: set[str] = set()  #: lanes held since they last were sound: of these people know

    def busy(self) -> int:
        """All runs together."""
        with self.lock:
            return self.running.total()

    def reserve(self, lane: str) -> int:
        """Take all places that are free for this lane; how many."""
        with self.lock:
            free = self.craft.workers - self.running.total()
            if self.craft.own and not self.running[lane]:
                free = max(free, 1)
            places = max(0, min(free, self.craft.limit(lane) - self.running[lane]))
            self.running[lane] += places
            return places

    def may_go_on(self, lane: str) -> bool:
        """Whether the place of a run that is over may go to the next one of the same lane."""
        with self.lock:
            crowded = self.running.total() > self.craft.workers and not (self.craft.own and self.running[lane] == 1)
            return not crowded and self.running[lane] <= self.craft.limit(lane)

    def release(self, lane: str, places: int = 1) -> None:
        with self.lock:
            self.running[lane] -= places
            if not self.running[lane]:
                del self.running[lane]

    def held_until(self, lane: str) -> float:
        with self.lock:
            return self.held.get(lane, 0.0)

    def hold(self, lane: str, until: float | None, *, sound: bool, foreseen: bool = False) -> bool:
        """
        What a run has shown: the lane is on hold, or (None) it is not, or even is `sound`; whether that is news.

        A hold that was `foreseen` is none.
        """
        with self.lock:
            if until is None:
                self.held.pop(lane, None)
                self.told -= {lane} if sound else set()
                return False
            self.held[lane] = until
            if foreseen:
                return False
            fresh = lane not in self.told
            self.told.add(lane)
            return fresh

    def let_go(self) -> None:
        """End all holds."""
        with self.lock:
            self.held.clear()
