"""
Child processes: started under limits, in a group of their own, followed to their end, and killed with all their group.

The limits are set by `prlimit` of util-linux, which then becomes the program: a function run between fork and exec
would not be safe in a daemon with threads, and would make each start copy the daemon's page tables. What a thread hands
down to its children (no_new_privs, the mask of signals) is set once, in the one thread that starts them all; and a
child that is to die with its parent dies with the thread that started it (prctl(2), PR_SET_PDEATHSIG).
"""

import ctypes
import os
import resource
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from time import monotonic

from watcher.config.handlers import HandlerSettings
from watcher.jobs.contract import INTERRUPTED, RunEnding
from watcher.jobs.output import Capture
from watcher.jobs.program import CannotStart
from watcher.model import Verdict

__all__ = ["GRACE", "Child", "Command", "End", "Pipe", "cut_off", "follow", "output_pipe"]

#: Seconds between the polite signal and the one that can't be refused.
GRACE = 5.0

PRLIMIT = "/usr/bin/prlimit"
READ = 64 * 1024
UMASK = 0o077  #: mail is private: what a handler writes is its user's alone, unless it says otherwise
FILES = 1024  #: open files, as every program expects; the daemon itself may have many more
PR_SET_NO_NEW_PRIVS = 38


class End(StrEnum):
    """Why we stopped following a child."""

    OVER = "over"  #: it ended, or what we waited for is there
    LATE = "late"  #: its time was up
    FLOODED = "flooded"  #: it printed too much
    INTERRUPTED = "interrupted"  #: the daemon stops


@dataclass(frozen=True, slots=True)
class Command:
    """What is started."""

    argv: Sequence[str]
    directory: Path  #: its current directory
    environment: Mapping[str, str]
    wrapper: Sequence[str] = ()  #: what starts it where it is kept apart; see `isolation`


@dataclass(slots=True)
class Pipe:
    """What a child prints comes through here, and is kept in part."""

    reader: int
    writer: int  #: -1 once it was handed over
    capture: Capture

    def handed_over(self) -> None:
        """Only children hold the writing end from now on, so that its end can be seen."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def read(self) -> bool:
        """Take what is there; False at the end."""
        with suppress(BlockingIOError):
            data = os.read(self.reader, READ)
            self.capture.add(data)
            return bool(data)
        return True

    def drain(self, limit: int) -> None:
        """Take the rest of what was printed, without waiting for more."""
        while self.capture.total <= limit:
            before = self.capture.total
            if not self.read() or self.capture.total == before:
                return


@contextmanager
def output_pipe() -> Iterator[Pipe]:
    """A pipe for one run; closed at the end of the context."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    pipe = Pipe(reader, writer, Capture())
    try:
        yield pipe
    finally:
        pipe.handed_over()
        os.close(reader)


class Child:
    """One process and the group it leads."""

    def __init__(self, command: Command, stdin: int, output: int, settings: HandlerSettings) -> None:
        """Start it, with `stdin` and `output` (for both outputs) as its only open files. Raises CannotStart."""
        argv = [*command.wrapper, PRLIMIT, *_resources(settings), "--", *command.argv]
        try:
            self._process = _STARTER.submit(_start, argv, command, stdin, output).result()
        except OSError as error:
            raise CannotStart(f"can't start {command.argv[0]}: {error.strerror}: {error.filename}") from error
        self.pidfd = os.pidfd_open(self._process.pid)
        with suppress(OSError):  # it may be over by now; where memory runs out, let it be killed before the daemon
            Path(f"/proc/{self._process.pid}/oom_score_adj").write_text("500")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group. Call it before `reap` only: later the number may be another's."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it has ended by itself, waiting for that at most so long."""
        if self._process.returncode is not None:
            return True
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def reap(self) -> int:
        """Kill what is left of the group; the exit status of its leader, negative for a signal."""
        if self._process.returncode is None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            os.close(self.pidfd)
        return self._process.returncode


def _start(argv: Sequence[str], command: Command, stdin: int, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the command is the admin's, nothing in it is from a mail
        argv,
        stdin=stdin,
        stdout=output,
        stderr=output,
        cwd=command.directory,
        env=command.environment,
        umask=UMASK,
        start_new_session=True,
    )


def _forgo() -> None:
    """Let what this thread starts gain no rights by a setuid program, and get all signals."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel can't take the right to gain rights")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


_STARTER = ThreadPoolExecutor(1, "jobs-start", _forgo)


def follow(child: Child, pipe: Pipe, awaited: int, settings: HandlerSettings, stop: int) -> End:
    """Read what `child` prints until `awaited` (its pidfd, or where it answers) is readable, or it has ended.

    A child that goes beyond a limit, or still runs when `stop` becomes readable, is ended first: TERM, some grace,
    KILL. What else is in its group is left for `Child.reap`.
    """
    poller = select.poll()
    for fd in {pipe.reader, awaited, child.pidfd, stop}:
        poller.register(fd, select.POLLIN)
    end = End.OVER
    blows = iter((signal.SIGTERM,))
    due = monotonic() + settings.timeout
    while True:
        ready = {fd for fd, _ in poller.poll(max(0.0, due - monotonic()) * 1000)}
        flooded = pipe.capture.total > settings.output
        if pipe.reader in ready and (flooded or not pipe.read()):
            poller.unregister(pipe.reader)  # at its end, or so that a flood blocks
        if child.pidfd in ready or (end is End.OVER and awaited in ready):
            pipe.drain(settings.output)
            return end
        late = monotonic() >= due
        if end is End.OVER:
            end = _excess(stop in ready, flooded, late)
            if end is End.OVER:
                continue
            for fd in {awaited, stop} - {child.pidfd}:
                poller.unregister(fd)
        elif not late:
            continue
        child.signal(next(blows, signal.SIGKILL))
        due = monotonic() + GRACE


def cut_off(end: End, settings: HandlerSettings, output: str) -> RunEnding:
    """The ending of a run that we ended."""
    match end:
        case End.LATE:
            return RunEnding(Verdict.CRASHED, f"ran longer than {settings.timeout:g} s and was ended", output)
        case End.FLOODED:
            return RunEnding(Verdict.CRASHED, f"printed more than {settings.output} bytes and was ended", output)
    return replace(INTERRUPTED, output=output)


def _excess(stopped: bool, flooded: bool, late: bool) -> End:
    if stopped:
        return End.INTERRUPTED
    if flooded:
        return End.FLOODED
    return End.LATE if late else End.OVER


def _resources(settings: HandlerSettings) -> list[str]:
    """Limits that the kernel counts, as arguments of prlimit. A daemon that is no root can't go above its own.

    Memory is RLIMIT_DATA, private writable memory since Linux 4.7: RLIMIT_AS would also count the address space that
    Node or Go reserve and never touch.
    """
    wanted = (
        ("core", resource.RLIMIT_CORE, 0),
        ("data", resource.RLIMIT_DATA, settings.memory),
        ("fsize", resource.RLIMIT_FSIZE, settings.file_size),
        ("nofile", resource.RLIMIT_NOFILE, FILES),
        ("nproc", resource.RLIMIT_NPROC, settings.processes),
    )
    arguments = []
    for name, kind, value in wanted:
        if value is not None:
            _, hard = resource.getrlimit(kind)
            arguments.append(f"--{name}={value if hard == resource.RLIM_INFINITY else min(value, hard)}")
    return arguments
