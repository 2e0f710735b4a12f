"""One renewal at a time, for all who want it."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from watcher.errors import WatcherError

__all__ = ["SingleFlight"]

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """Who comes while another is at it waits and gets the same end: ten links must not try a dead server in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = 0  #: how many have ended so far
        self._end: Result | WatcherError | None = None  #: of the last one

    def share(self, act: Callable[[], Result]) -> Result:
        """What `act` returns or raises, called by us or by somebody whose call ended after we came."""
        before = self._ended
        with self._lock:
            if self._ended == before:
                self._end = None
                try:
                    self._end = act()
                except WatcherError as error:
                    self._end = error
                    raise
                finally:
                    self._ended += 1
                return self._end
            end = self._end
        if end is None:  # a bug ended it; its own thread tells
            raise WatcherError("renewing a token broke off")
        if isinstance(end, WatcherError):
            raise end
        return end
