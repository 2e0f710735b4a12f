"""Children that take mails apart, so that a hostile mail can kill at most one of them."""

import logging
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from threading import BoundedSemaphore, Lock

from pebble import ProcessExpired, ProcessPool

from watcher.errors import Unreadable
from watcher.mail.child import prepare, take_apart
from watcher.mail.limits import USUAL, Limits
from watcher.mail.spawn import LeanContext
from watcher.model import Envelope, MailFolder, Message

__all__ = ["UnpackPool"]

log = logging.getLogger(__name__)

#: Mails after which a child is replaced by a fresh one.
_MAILS = 1000

#: Seconds beyond the limit of a mail after which a child is given up that neither answers nor dies.
_GRACE = 30.0


class UnpackPool:
    """A fixed number of children. They are started at the first mail, and a dead one is replaced."""

    def __init__(self, workers: int, limits: Limits = USUAL) -> None:
        self._workers = workers
        self._limits = limits
        self._turns = BoundedSemaphore(workers)  # the time of a mail runs only while a child has it
        self._changing = Lock()
        self._closed = False
        self._pool = self._fresh()

    def unpack(self, folder: MailFolder, envelope: Envelope) -> Message:
        """
        Take the mail in `folder` apart in a child and wait for it; see `watcher.mail.unpack`. May be called from many
        threads. Raises Unreadable: with `crashed` if the child died, or ran out of memory or time.
        """
        with self._turns:
            pool = self._working()
            future = pool.schedule(take_apart, args=(folder.path, envelope, self._limits), timeout=self._limits.seconds)
            try:
                return future.result(self._limits.seconds + _GRACE)
            except Unreadable:
                raise
            except TimeoutError as error:
                future.cancel()  # type: ignore[no-untyped-call]
                raise Unreadable(f"it takes more than {self._limits.seconds:g} seconds", crashed=True) from error
            except ProcessExpired as error:
                raise Unreadable(f"it killed its process ({_ending(error.exitcode)})", crashed=True) from error
            except (BrokenProcessPool, CancelledError) as error:
                raise Unreadable("its process died", crashed=True) from error
            except MemoryError as error:
                raise Unreadable(f"it needs more than {self._limits.memory} bytes", crashed=True) from error
            except Exception as error:  # a bug of ours: this mail shows it, the others must go on
                log.exception("bug in taking %s apart", folder.path)
                raise Unreadable(f"a bug in taking it apart: {type(error).__name__}") from error

    def close(self) -> None:
        """End all children at once. A mail that is in work is given up."""
        with self._changing:
            self._closed = True
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()

    def _working(self) -> ProcessPool:
        """The pool; a new one if the old one broke, as it does when its processes are killed from outside."""
        with self._changing:
            if not self._closed and not self._pool.active:
                self._pool.stop()  # type: ignore[no-untyped-call]
                self._pool.join()
                self._pool = self._fresh()
            return self._pool

    def _fresh(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._workers,
            max_tasks=_MAILS,
            initializer=prepare,
            initargs=(self._limits,),
            context=LeanContext(),
        )


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
