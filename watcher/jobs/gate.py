"""The way in for runs of handlers: open until the daemon ends, then shut, and whoever is still inside has to leave."""

import os
from threading import Condition

from watcher.jobs.process import GRACE

__all__ = ["Gate"]


class Gate:
    """Counts the runs that are under way. Safe to use from many threads."""

    def __init__(self) -> None:
        self.stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  #: readable once runs are to be interrupted
        self._open = True
        self._inside = 0
        self._changed = Condition()

    def enter(self) -> bool:
        """Whether a run may begin; if so, `leave` follows."""
        with self._changed:
            self._inside += self._open
            return self._open

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def shut(self) -> None:
        """Let nobody in any more, interrupt those inside, and wait until they have left."""
        with self._changed:
            if not self._open:
                return
            self._open = False
            os.eventfd_write(self.stop, 1)
            if self._changed.wait_for(self._is_empty, 2 * GRACE):
                os.close(self.stop)  # else a process hangs in the kernel, and its thread still looks at this

    def _is_empty(self) -> bool:
        return self._inside == 0
