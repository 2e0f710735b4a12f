"""What the kernel says of processes: memory, threads, descriptors, CPU time, descent, who uses a directory."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from functools import reduce
from operator import add
from pathlib import Path
from threading import Event, Thread
from typing import Self

__all__ = ["Footprint", "Gauge", "Usage", "cpu_of", "descendants", "group_of", "memory_of", "usage", "using"]

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process holds now."""

    rss: int  #: bytes in memory
    peak: int  #: highest `rss` in its life
    threads: int
    descriptors: int  #: open files, pipes and sockets
    cpu: float  #: seconds used so far, with those of the children it has waited for


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of several processes together, in bytes."""

    rss: int = 0  #: pages that two share are counted twice
    pss: int = 0  #: shared pages are divided among those who share them, strangers that run the same Python included
    anonymous: int = 0  #: of these the pages of no file, which no stranger shares

    @classmethod
    def of(cls, pid: int) -> Self:
        """Of one process; nothing if it has ended."""
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError):
            return cls()
        fields = dict(line.split(":", 1) for line in lines)
        return cls(_bytes(fields["Rss"]), _bytes(fields["Pss"]), _bytes(fields["Pss_Anon"]))

    def combined(self, other: "Footprint", how: Callable[[int, int], int]) -> "Footprint":
        """Each figure made of both."""
        return Footprint(*map(how, astuple(self), astuple(other)))


def usage(pid: int) -> Usage:
    """What the process holds now; ProcessLookupError if it has ended."""
    try:
        fields = dict(line.split(":\t", 1) for line in (PROC / str(pid) / "status").read_text().splitlines())
        if "VmRSS" not in fields:
            raise ProcessLookupError(pid)
        return Usage(
            rss=_bytes(fields["VmRSS"]),
            peak=_bytes(fields["VmHWM"]),
            threads=int(fields["Threads"]),
            descriptors=sum(1 for _ in (PROC / str(pid) / "fd").iterdir()),
            cpu=_cpu(pid),
        )
    except FileNotFoundError as error:
        raise ProcessLookupError(pid) from error


def memory_of(pids: Iterable[int]) -> Footprint:
    """Memory of these processes together; those that have ended count nothing."""
    return reduce(lambda total, one: total.combined(one, add), map(Footprint.of, pids), Footprint())


def cpu_of(root: int) -> float:
    """Seconds of CPU that the process and all below it have used so far, ended children included."""
    total = 0.0
    for pid in descendants(root):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += _cpu(pid)
    return total


def group_of(group: int) -> list[int]:
    """Ids of the living processes (no zombies) of a process group."""
    return [pid for pid, _, of, state in _table() if of == group and state != "Z"]


def descendants(root: int) -> list[int]:
    """Ids of the process and all living processes below it, by parent; those that lost their parent are not found."""
    children: dict[int, list[int]] = {}
    for pid, parent, _, state in _table():
        if state != "Z":
            children.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def using(directory: Path) -> dict[int, str]:
    """Id -> command line of the processes that work in the directory or are told of it by argument or environment."""
    found = {}
    for pid, _, _, state in _table():
        if state == "Z" or pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            entry = PROC / str(pid)
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if os.fsencode(directory) in told or (entry / "cwd").readlink().is_relative_to(directory):
                found[pid] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


class Gauge:
    """Watches the memory of a process and all below it, and keeps the highest it saw; a context manager."""

    def __init__(self, root: int, every: float = 0.1) -> None:
        self._root, self._every = root, every
        self._done = Event()
        self._thread = Thread(target=self._watch, name="gauge")
        self.peak = Footprint()  #: highest of each, together
        self.processes = 0  #: most at one time

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        known: set[int] = set()
        over = False
        while not over:  # so that even a short watch has seen something
            over = self._done.wait(self._every)
            pids = set(descendants(self._root))
            counted = {pid for pid in pids if pid in known or not _is_being_born(pid)}
            known = pids
            now = memory_of(counted)
            self.peak = self.peak.combined(now, max)
            self.processes = max(self.processes, len(counted))


def _is_being_born(pid: int) -> bool:
    """Whether it looks like its parent: between vfork and exec it has the parent's memory, not one of its own."""
    try:
        parent = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1]
        return (PROC / str(pid) / "cmdline").read_bytes() == (PROC / parent / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


def _table() -> Iterator[tuple[int, int, int, str]]:
    """(id, parent, process group, state) of every process."""
    for entry in PROC.glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, group = stat.rpartition(")")[2].split()[:3]
        yield int(entry.name), int(parent), int(group), state


def _cpu(pid: int) -> float:
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def _bytes(kilobytes: str) -> int:
    return int(kilobytes.split(maxsplit=1)[0]) * 1024
