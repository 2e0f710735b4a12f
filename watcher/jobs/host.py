"""
Handlers in Python, `def handle(message)`: called in processes of their own that stay warm from mail to mail.

One process serves one run at a time; as many are kept as runs overlap. A process is given up when its run crashed or
took too long, when the handler's file or settings have changed, after some runs (leaks), and when long unused.
"""

import json
import socket
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from threading import Lock
from time import monotonic

from watcher.config.handlers import HandlerSettings
from watcher.jobs.contract import TAG, Run, RunEnding, environment, exited, standing
from watcher.jobs.isolation import cell_for_python
from watcher.jobs.process import Child, Command, End, Pipe, cut_off, follow, output_pipe
from watcher.jobs.program import CannotStart, Program
from watcher.jobs.strays import Strays
from watcher.model import Verdict
from watcher.printing import one_line

__all__ = ["IDLE", "RUNS", "Hosts"]

IDLE = 300.0  #: seconds a process may wait for its next run
RUNS = 1000  #: runs of one process
FAREWELL = 1.0  #: seconds it has to end by itself
PACKET = 200 * 1024


@dataclass(frozen=True, slots=True)
class Basis:
    """What a warm process was started from; when this changes, another one is started."""

    program: Program
    file: tuple[int, ...]  #: device, inode, time in nanoseconds and size; empty for an entry point
    settings: HandlerSettings


class Host:
    """One warm process."""

    def __init__(self, run: Run, basis: Basis, tag: str, pipe: Pipe) -> None:
        """Start it; what it prints while it loads the handler goes to `pipe`. Raises CannotStart."""
        self.basis = basis
        self.tag = tag
        self.runs = 0
        self.used = monotonic()
        self.usable = True
        self._cell = cell_for_python(run, tag)
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-B", "-P", "-m", "watcher.jobs.child", *run.program.argv]
        self._cell.give(pipe.writer)
        with theirs:
            try:
                variables = {**standing(self._cell.seen(run)), TAG: tag}
                command = Command(argv, Path("/"), variables, self._cell.wrapper)
                self._child = Child(command, theirs.fileno(), pipe.writer, run.settings)
            except CannotStart:
                self._link.close()
                self._cell.close()
                raise

    def call(self, run: Run, stop: int) -> RunEnding:
        """Have it do a run, and wait for what comes of it."""
        with output_pipe() as pipe, self._cell.visit(run) as inside:
            self._cell.give(pipe.writer)
            self.send(inside, pipe)
            return self.answer(pipe, stop)

    def send(self, run: Run, pipe: Pipe) -> None:
        """Start a run."""
        self.runs += 1
        request = {"run": self.runs, "folder": str(run.folder.path), "environment": environment(run)}
        with suppress(BrokenPipeError):  # it has just died: the answer will say so
            socket.send_fds(self._link, [json.dumps(request).encode()], [pipe.writer])

    def answer(self, pipe: Pipe, stop: int) -> RunEnding:
        """Wait for what came of loading or of a run. Whatever is no answer makes the process unusable."""
        settings = self.basis.settings
        pipe.handed_over()
        end = follow(self._child, pipe, self._link.fileno(), settings, stop)
        output = pipe.capture.text()
        self.usable = False
        if end is not End.OVER:
            return cut_off(end, settings, output)
        try:
            packet = self._link.recv(PACKET)
        except ConnectionResetError:
            packet = b""
        if not packet:
            return self._death(output)
        ending = _ending(packet, self.runs, output)
        self.usable = ending is not None and self.runs < RUNS
        self.used = monotonic()
        return ending or RunEnding(Verdict.CRASHED, "its process gave an answer that is none", output)

    def alive(self) -> bool:
        return not self._child.ended()

    def end(self) -> None:
        """Hang up, and kill what does not end upon that."""
        self._link.close()
        self._child.ended(FAREWELL)
        self._child.reap()
        self._cell.close()

    def _death(self, output: str) -> RunEnding:
        """It hung up without an answer."""
        ended = self._child.ended(FAREWELL)
        code = self._child.reap()
        if refusal := self._cell.refusal(code, output):
            return RunEnding(Verdict.HOLD, refusal, output)
        code = self._cell.code(code)
        if ended and code < 0:
            return exited(code, output)
        how = f"ended its process with exit {code}" if ended else "closed its link to the daemon"
        return RunEnding(Verdict.CRASHED, f"{how} instead of returning", output)


class Hosts:
    """The warm processes of all handlers. Safe to use from many threads."""

    def __init__(self, strays: Strays) -> None:
        self._strays = strays
        self._idle: defaultdict[str, list[Host]] = defaultdict(list)
        self._lock = Lock()
        self._open = True

    def run(self, run: Run, stop: int) -> RunEnding:
        """Call the handler once; it is interrupted when `stop` becomes readable. Raises CannotStart."""
        host = self._take(run)
        if host is None:
            host, loading = self._start(run, stop)
            if loading.verdict is not Verdict.DONE:
                self._end(host)
                return loading
        try:
            return host.call(run, stop)
        finally:
            self._give_back(run.work.name, host)

    def retire(self, now: float) -> None:
        """End the processes that have waited too long; `now` is monotonic."""
        with self._lock:
            old = [host for hosts in self._idle.values() for host in hosts if now - host.used >= IDLE]
            for name, hosts in self._idle.items():
                self._idle[name] = [host for host in hosts if host not in old]
        for host in old:
            self._end(host)

    def close(self) -> None:
        """End all that wait, and each of the others when its run is over."""
        with self._lock:
            self._open = False
            waiting = [host for hosts in self._idle.values() for host in hosts]
            self._idle.clear()
        for host in waiting:
            self._end(host)

    def _take(self, run: Run) -> Host | None:
        """A process that is warm for just this; those that have had their day are ended on the way."""
        basis = _basis(run)
        while True:
            with self._lock:
                waiting = self._idle[run.work.name]
                host = waiting.pop() if waiting else None
            if host is None or (host.basis == basis and host.alive()):
                return host
            self._end(host)

    def _start(self, run: Run, stop: int) -> tuple[Host, RunEnding]:
        """A new process and how loading went. A handler that can't be loaded is held: no mail is to blame for that."""
        tag = self._strays.born()
        try:
            with output_pipe() as pipe:
                host = Host(run, _basis(run), tag, pipe)
                loading = host.answer(pipe, stop)
        except BaseException:
            self._strays.gone(tag)
            raise
        if loading.verdict is Verdict.CRASHED:
            loading = replace(loading, verdict=Verdict.HOLD, reason=f"can't be loaded: {loading.reason}")
        return host, loading

    def _give_back(self, name: str, host: Host) -> None:
        with self._lock:
            kept = host.usable and self._open
            if kept:
                self._idle[name].append(host)
        if not kept:
            self._end(host)

    def _end(self, host: Host) -> None:
        host.end()
        self._strays.gone(host.tag)


def _basis(run: Run) -> Basis:
    if run.program.file is None:
        return Basis(run.program, (), run.settings)
    found = run.program.file.stat()
    return Basis(run.program, (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size), run.settings)


def _ending(packet: bytes, run: int, output: str) -> RunEnding | None:
    """What a process answered; None if that makes no sense, or speaks of another run, as a fork of it may."""
    try:
        answer = json.loads(packet)
        if answer["run"] != run:
            return None
        if "exit" in answer:
            return exited(int(answer["exit"]), output)
        delay = answer.get("delay")
        seconds = None if delay is None or not isfinite(delay) else float(delay)
        return RunEnding(Verdict(answer["verdict"]), one_line(str(answer.get("reason", ""))), output, seconds)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):  # it may be anything
        return None
