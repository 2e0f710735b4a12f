"""Children that take mails apart, so that a hostile mail can kill at most one of them."""

import logging
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from threading import BoundedSemaphore, Lock

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from watcher.errors import SpoolFull, Unreadable
from watcher.limits import USUAL, Limits
from watcher.mail.child import prepare, take_apart
from watcher.mail.spawn import LeanContext
from watcher.mail.trust import TrustPolicy
from watcher.mail.unpack import TRUST_NOBODY
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
        self._running: set[ProcessFuture[Message]] = set()
        self._start()

    def unpack(self, folder: MailFolder, envelope: Envelope, policy: TrustPolicy = TRUST_NOBODY) -> Message:
        """
        Take the mail in `folder` apart in a child and wait for it; see `watcher.mail.unpack`. May be called from many
        threads. Raises SpoolFull, and Unreadable: with `crashed` if the child died, or ran out of memory or time.
        """
        with self._turns:
            future = self._schedule(folder, envelope, policy)
            try:
                return future.result(self._limits.seconds + _GRACE)
            except (Unreadable, SpoolFull):
                raise
            except TimeoutError as error:
                future.cancel()  # type: ignore[no-untyped-call]
                raise Unreadable(f"it takes more than {self._limits.seconds:g} seconds", crashed=True) from error
            except ProcessExpired as error:
                raise Unreadable(f"it killed its process ({_ending(error.exitcode)})", crashed=True) from error
            except (BrokenProcessPool, CancelledError) as error:
                raise Unreadable("its process died", crashed=True) from error
            except MemoryError as error:
                raise Unreadable(f"it needs more than {self._limits.memory} bytes of memory", crashed=True) from error
            except Exception as error:  # a bug of ours: this mail shows it, the others must go on
                log.exception("bug in taking %s apart", folder.path)
                raise Unreadable(f"a bug in taking it apart: {type(error).__name__}") from error
            finally:
                self._running.discard(future)

    def close(self) -> None:
        """End all children at once. A mail that is in work is given up."""
        with self._changing:
            self._closed = True
            self._stop()
            for future in list(self._running):
                future.cancel()  # type: ignore[no-untyped-call]

    def _schedule(self, folder: MailFolder, envelope: Envelope, policy: TrustPolicy) -> ProcessFuture[Message]:
        """Hand the mail to a child. Children that were killed while idle end a pebble pool: then it is made anew."""
        with self._changing:
            if not self._closed and not self._pool.active:
                self._stop()
                self._start()
            if self._closed:
                raise Unreadable("the daemon stops", crashed=True)
            arguments = (folder.path, envelope, self._limits, policy)
            future = self._pool.schedule(take_apart, args=arguments, timeout=self._limits.seconds)
            self._running.add(future)
            return future

    def _start(self) -> None:
        self._context = LeanContext()
        self._pool = ProcessPool(
            max_workers=self._workers,
            max_tasks=_MAILS,
            initializer=prepare,
            initargs=(self._limits,),
            context=self._context,
        )

    def _stop(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._context.kill()  # else one that is just starting complains about the locks that `join` takes away
        self._pool.join()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
