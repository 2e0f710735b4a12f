"""A thread that ends what outlived its run and removes what it left."""

import logging
from threading import Event, Thread
from time import monotonic

from watcher.jobs.host import Hosts
from watcher.jobs.premises import Estate
from watcher.jobs.strays import Strays

__all__ = ["Tidier"]

log = logging.getLogger(__name__)

TIDY = 60.0  #: seconds between two looks at what waits too long
TOGETHER = 1.0  #: seconds in which runs that end share one look for strays, at every process of the machine


class Tidier:
    """Tidies up at the start, soon after a run has ended, now and then, and at the end."""

    def __init__(self, hosts: Hosts, strays: Strays, estate: Estate) -> None:
        self._hosts = hosts
        self._strays = strays
        self._estate = estate
        self._called = Event()
        self._over = Event()
        self._tidy()
        self._thread = Thread(target=self._keep_tidy, name="jobs-tidy", daemon=True)
        self._thread.start()

    def call(self) -> None:
        """A run has ended."""
        self._called.set()

    def close(self) -> None:
        """No run is under way, and none will be. Safe to call twice."""
        if self._over.is_set():
            return
        self._over.set()
        self._called.set()
        self._thread.join()
        self._hosts.close()
        self._tidy()

    def _keep_tidy(self) -> None:
        while not self._over.is_set():
            self._called.wait(TIDY)
            self._called.clear()
            self._over.wait(TOGETHER)
            try:
                self._tidy()
            except OSError as error:  # no descriptors left, say: there is a next time
                log.warning("can't look for what handlers left behind: %s", error.strerror)

    def _tidy(self) -> None:
        self._hosts.retire(monotonic())
        if killed := self._strays.sweep():
            log.warning("killed %d processes that handlers had left behind", killed)
        self._estate.clear()
