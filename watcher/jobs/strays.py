"""
Finds and kills what outlives a run.

The group of a run is killed with it, but a process can leave its group (setsid). What it can hardly lose by accident
is its environment, and there stands the tag of the run. So: whatever carries a tag of this spool, and whose run is not
alive, is a stray; also what a daemon that was killed has left, which at a new start would work beside its own repeat.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import count
from pathlib import Path

from watcher.jobs.contract import TAG

__all__ = ["Strays"]

PASSES = 10  #: a stray may start another one while we look; this often we look again
ENVIRONMENT = 1 << 18  #: bytes read of a process's environment


class Strays:
    """The tags of one spool's runs. Safe to use from many threads."""

    def __init__(self, spool: Path) -> None:
        self._prefix = sha256(os.fsencode(spool.resolve())).hexdigest()[:16] + "-"
        self._serial = count(1)
        self._living: set[str] = set()

    def alive(self, tag: str) -> bool:
        return tag in self._living

    def knows(self, tag: str) -> bool:
        """Whether it is a tag of this spool, of this life of the daemon or of an earlier one."""
        return tag.startswith(self._prefix)

    @contextmanager
    def tagged(self) -> Iterator[str]:
        """A new tag, alive within this context."""
        tag = self.born()
        try:
            yield tag
        finally:
            self.gone(tag)

    def born(self) -> str:
        tag = f"{self._prefix}{next(self._serial)}"
        self._living.add(tag)
        return tag

    def gone(self, tag: str) -> None:
        self._living.discard(tag)

    def sweep(self) -> int:
        """Kill all strays; how many there were."""
        killed: set[int] = set()
        for _ in range(PASSES):
            found = {pid for pid in _processes() if pid not in killed and self._kill(pid)}
            if not found:
                break
            killed |= found
        return len(killed)

    def _kill(self, pid: int) -> bool:
        """Kill the process if it is a stray. It is looked at again once it is held, as its number may be another's."""
        if not self._is_stray(pid):
            return False
        with suppress(ProcessLookupError, PermissionError):
            held = os.pidfd_open(pid)
            try:
                if self._is_stray(pid):
                    signal.pidfd_send_signal(held, signal.SIGKILL)
                    return True
            finally:
                os.close(held)
        return False

    def _is_stray(self, pid: int) -> bool:
        tag = _tag(pid)
        return tag.startswith(self._prefix) and tag not in self._living


def _processes() -> Iterator[int]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                yield int(entry.name)


def _tag(pid: int) -> str:
    """The tag in a process's environment; "" if there is none, it is gone, or it is not ours to look at."""
    try:
        file = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)  # not by Path: of these there are many
        try:
            environment = b"\0" + os.read(file, ENVIRONMENT)
        finally:
            os.close(file)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
    _, found, rest = environment.partition(f"\0{TAG}=".encode())
    return os.fsdecode(rest.partition(b"\0")[0]) if found else ""
