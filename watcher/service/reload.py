"""Notices that the configuration or a handler may have changed: by watchdog, SIGHUP, or when a command says so."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

__all__ = ["Reload"]

log = logging.getLogger(__name__)

QUIET = 0.3  #: seconds without a change after which an editor is taken to be through
LONGEST = 1.5  #: seconds after which that is waited for no more
ROUND = 60.0  #: seconds after which we look by ourselves: a network file system tells nothing
GOING = frozenset({"deleted", "moved"})

READING = frozenset({"opened", "closed_no_write"})  #: events that change nothing

#: What tells that one file of a directory is another now, or has got its last byte. Who waits for more of the kernel
#: is woken by each line that somebody adds to a log beside it.
REPLACED: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]


class Reload:
    """
    Calls `act` in a thread of its own, shortly after something has changed.

    `watched`: directories, and of each the one file that matters, or none if all do. What `act` raises goes to
    `on_failure`.
    """

    def __init__(
        self,
        watched: Mapping[Path, Path | None],
        act: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.watched = watched
        self.act = act
        self.on_failure = on_failure
        self.news = threading.Event()
        self.looked = threading.Condition()
        self.rounds = 0  #: how often all was looked at
        self.over = False
        self.observer: BaseObserver | None = None
        self.seen: dict[Path, int] = {}  #: inodes of the directories that the observer looks at
        self.lost = False  #: one of them has gone; the next of its name may get its inode
        self.thread = threading.Thread(target=self.guard, name="reload", daemon=True)
        self.terminal = next(filter(os.isatty, range(3)), None)  #: on which we were started
        self.before = signal.signal(signal.SIGHUP, self.hear)
        self.thread.start()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """SIGHUP: somebody wants us to look, or our terminal was closed, and then it means what it meant before."""
        if self.terminal is not None and not os.isatty(self.terminal) and callable(self.before):
            self.before(number, frame)
        else:
            self.request()

    def request(self) -> None:
        """Look soon. Safe in a signal handler: no thread that may be interrupted by one waits for this event."""
        self.news.set()

    def look_now(self, within: float) -> bool:
        """Look, and wait until that is over; whether it was within so many seconds."""
        with self.looked:
            before = self.rounds
            self.request()
            return self.looked.wait_for(lambda: self.rounds > before or self.over, within)

    def close(self) -> None:
        signal.signal(signal.SIGHUP, self.before)
        self.over = True
        self.news.set()
        self.thread.join()

    def guard(self) -> None:
        try:
            self.observe()
            while not self.over:
                if self.news.wait(ROUND):
                    self.wait_for_quiet()
                if not self.over:
                    self.observe()
                    self.act()
                with self.looked:
                    self.rounds += 1
                    self.looked.notify_all()
        except BaseException as error:  # noqa: BLE001 - a bug: the process ends
            self.on_failure(error)
        finally:
            self.stop_observing()

    def wait_for_quiet(self) -> None:
        due = time.monotonic() + LONGEST
        while self.news.is_set() and not self.over and time.monotonic() < due:
            self.news.clear()
            self.news.wait(QUIET)
        self.news.clear()

    # --- watchdog ---------------------------------------------------------------------------------------------------

    def observe(self) -> None:
        """Look at the directories that are there now; anew if one of them is another since."""
        there = {path: inode for path in self.watched if (inode := _inode(path)) is not None}
        if there == self.seen and not self.lost:
            return
        self.stop_observing()
        self.observer, self.seen, self.lost = Observer(), there, False
        try:
            for path in there:
                file = self.watched[path]
                wanted = REPLACED if file else None  # of handlers their mode matters too
                self.observer.schedule(_Ear(self, path, file), str(path), event_filter=wanted)
            self.observer.start()
        except OSError as error:  # no inotify instances left, say
            log.warning("changes of files are noticed only after %.0f s or upon SIGHUP: %s", ROUND, error)
            self.observer = None

    def stop_observing(self) -> None:
        if self.observer:
            self.observer.stop()
            with suppress(RuntimeError):  # it was never started
                self.observer.join()
            self.observer = None


class _Ear(FileSystemEventHandler):
    def __init__(self, reload: Reload, directory: Path, file: Path | None) -> None:
        self.reload = reload
        self.directory = directory.name
        # A link may be put elsewhere by changing what lies beside it, as in a volume of Kubernetes.
        self.file = None if file is None or file.is_symlink() else file.name

    def dispatch(self, event: FileSystemEvent) -> None:
        names = {Path(str(path)).name for path in (event.src_path, event.dest_path)}
        gone = event.is_directory and event.event_type in GOING and self.directory in names
        self.reload.lost |= gone
        if gone or (event.event_type not in READING and (self.file is None or self.file in names)):
            self.reload.request()


def _inode(directory: Path) -> int | None:
    try:
        return directory.stat().st_ino
    except OSError:
        return None
