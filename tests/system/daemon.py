"""
The daemon as a real process: configured for a Dovecot, started, killed in any way, asked and measured from outside.

It is known here by its command line, its configuration and its answers on the control socket only; but after a kill,
what the ledger had on record is read from a copy of its files, since no command may touch them before the next start.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.system import handler_log
from tests.system.checker import Evidence, Job, violations
from tests.system.daemon_home import Watched, recorded_successes, write_configuration
from tests.system.dovecot import Dovecot
from tests.system.handler_log import Event, Phase
from tests.system.processes import using
from tests.system.waiting import until
from watcher.errors import WatcherError
from watcher.service.control import ask

__all__ = ["CALLS", "Daemon", "Injection", "Watched"]

T = TypeVar("T")

MOST_JOBS = 10_000  #: that `jobs list` shows at once

#: System calls at which a kill is worth it: what writes the ledger, makes and removes files, talks to a server.
CALLS = ("pwrite64", "fdatasync", "fsync", "openat", "mkdir", "unlink", "write", "recvfrom")


@dataclass(frozen=True, slots=True)
class Injection:
    """A SIGKILL at the entry of a system call."""

    call: str
    nth: int  #: which of its calls, counted for each thread


class Daemon:
    """One daemon with its directory. A context manager: it starts it, and stops it with all that is left of it."""

    def __init__(
        self,
        home: Path,
        server: Dovecot,
        accounts: Sequence[Watched],
        *,
        handlers: Mapping[str, str] | None = None,
        work: str = "",
        settings: str = "",
        package: Path | None = None,
    ) -> None:
        """
        `handlers`: file name -> content, all of them run on every mail; by default a recorder in Python and one in
        shell, which does `work` in between. `settings`: further TOML. `package`: directory in which another copy of
        the package `watcher` lies.
        """
        self.home, self.server, self.accounts, self.package = home, server, tuple(accounts), package
        self.config, self.state, self.events_file = home / "config.toml", home / "state", home / "handlers.log"
        self.environment: dict[str, str] = {}  #: further variables, for the next start
        self.left_over: list[str] = []  #: processes that outlived a kill
        self._process: subprocess.Popen[bytes] | None = None
        recorders = {
            "shell": handler_log.shell_handler("shell", self.events_file, work),
            "python.py": handler_log.python_handler("python", self.events_file),
        }
        write_configuration(home, server, self.accounts, recorders if handlers is None else handlers, settings)

    # --- its life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process and self._process.poll() is None:
            self.stop()
        for pid in using(self.home):
            subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)

    @property
    def pid(self) -> int:
        """Of the daemon itself."""
        assert self._process is not None
        return self._process.pid

    @property
    def handlers(self) -> tuple[str, ...]:
        """Names of the handlers that every mail is to reach."""
        return tuple(path.name.partition(".")[0] for path in sorted((self.home / "handlers").iterdir()))

    def start(self, at: Injection | None = None) -> None:
        """Start it; with `at`, its main thread kills it there, if it ever comes there."""
        command = [sys.executable, "-m", "watcher", "--config", str(self.config), "run"]
        if at:
            # -D: strace is the grandchild, so that the process we hold is the daemon.
            inject = f"inject={at.call}:signal=KILL:when={at.nth}"
            command = ["strace", "-D", "-qq", "-o", "/dev/null", "-e", f"trace={at.call}", "-e", inject, *command]
        with (self.home / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.home,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, within: float = 60) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def kill(self) -> None:
        """Kill it now, and note what its ledger had on record."""
        assert self._process is not None
        self._process.kill()
        self.killed()

    def kill_at(self, at: Injection, within: float = 2.0) -> bool:
        """Kill it where a running thread of it comes to `at`, or after `within` seconds; whether it came there."""
        assert self._process is not None
        threads = [task.name for task in Path(f"/proc/{self.pid}/task").iterdir()]
        inject = f"inject={at.call}:signal=KILL:when={at.nth}"
        tracer = subprocess.Popen(
            ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={at.call}", "-e", inject, "-p", " ".join(threads)],
            stderr=subprocess.DEVNULL,
        )
        try:
            self._process.wait(within)
            hit = True
        except subprocess.TimeoutExpired:
            self._process.kill()
            hit = False
        tracer.wait(60)
        self.killed()
        return hit

    def killed(self) -> None:
        """Wait for a kill under way and for the end of all its processes; log what the ledger had on record."""
        assert self._process is not None
        code = self._process.wait(60)
        assert code == -signal.SIGKILL, f"the daemon ended by itself with exit code {code}:\n{self.log()[-4000:]}"
        try:
            until(lambda: not using(self.home), 60, "the end of all processes")
        except TimeoutError:
            self.left_over += [f"{pid} {line}" for pid, line in using(self.home).items()]
        recorded = [Event(Phase.KILLED, handler, mail) for handler, mail in recorded_successes(self.state)]
        handler_log.append(self.events_file, [Event(Phase.KILLED), *recorded])

    def ends_within(self, seconds: float) -> bool:
        """Let it live for so long; whether it has ended meanwhile."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    # --- what it knows ----------------------------------------------------------------------------------------------

    def log(self) -> str:
        """All that it has printed so far."""
        return (self.home / "daemon.log").read_text(errors="replace")

    def events(self) -> list[Event]:
        """All that its handlers and its killer have written so far."""
        return handler_log.read(self.events_file)

    def command(self, *arguments: str) -> str:
        """What `imap-watcher ARGUMENTS` prints; CalledProcessError with its standard error if it fails."""
        command = [sys.executable, "-m", "watcher", "--config", str(self.config), *arguments]
        return subprocess.run(
            command, cwd=self.home, env=self._environment(), check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def ask(self, verb: str, **about: object) -> Any:
        """What it answers to a command, without the second of CPU that a command takes to start.

        OSError or WatcherError while it can't be asked.
        """
        return ask(self.state / "control.sock", {"verb": verb, **about})

    def jobs(self) -> list[Job]:
        """All work in the ledger, by a command if it does not run."""
        if self.is_running():
            until(self._answers, 60, "the daemon to answer")
            rows = self.ask("jobs", limit=MOST_JOBS)
        else:
            rows = json.loads(self.command("jobs", "list", "--json", "--limit", str(MOST_JOBS)))
        assert len(rows) < MOST_JOBS, "more than the command shows"
        return [Job(row["kind"], row["name"], row["key"], row["status"], row["attempts"]) for row in rows]

    def states(self) -> dict[str, str]:
        """Account/folder -> its state, as `status` tells; empty while the daemon can't be asked yet."""
        try:
            told = self.ask("status")["folders"]
        except (OSError, WatcherError):
            return {}
        return {f"{row['account']}/{row['folder']}": row["state"] for row in told}

    def is_live(self) -> bool:
        """Whether every folder is watched by a link that idles."""
        states = self.states()
        return bool(states) and set(states.values()) == {"live"}

    def handled(self, cases: Iterable[int], within: float) -> None:
        """Wait until each mail has reached each handler."""
        wanted = {(case, handler) for case in cases for handler in self.handlers}
        self.until(lambda: not self._missing(wanted), within, "mails to reach the handlers")

    def settled(self, cases: Iterable[int], within: float) -> list[Job]:
        """Wait until each mail has reached each handler and all work has ended; the work."""
        self.handled(cases, within)
        return self.until(self._ended, 60, "the end of all work")

    def until(self, look: Callable[[], T], within: float, what: str) -> T:
        """The first true value of `look()`. Raises with the daemon's log at the deadline, or when the daemon ends."""

        def look_while_it_lives() -> T:
            if not self.is_running():
                raise RuntimeError(f"the daemon has ended; it should have brought {what}")
            return look()

        try:
            return until(look_while_it_lives, within, what, every=0.1)
        except (RuntimeError, TimeoutError) as error:
            error.add_note(f"its folders: {self.states()}\nthe daemon's log:\n{self.log()[-4000:]}")
            raise

    def verdict(self, cases: Iterable[int], jobs: Sequence[Job], unseen: Sequence[str] = ()) -> list[str]:
        """The checker's verdict on everything so far."""
        spool = frozenset(path.name for path in (self.state / "spool").iterdir())
        evidence = Evidence(tuple(cases), self.handlers, self.events(), jobs, unseen, spool, tuple(self.left_over))
        return violations(evidence)

    def unseen(self) -> list[str]:
        r"""Mails in the watched folders that lack `\Seen`."""
        return [
            f"{account.user}/{folder} {uid}"
            for account in self.accounts
            for folder in account.folders
            for uid, flags in self.server.flags(account.user, folder).items()
            if r"\Seen" not in flags
        ]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _missing(self, wanted: set[tuple[int, str]]) -> set[tuple[int, str]]:
        return wanted - {(event.case, event.handler) for event in self.events() if event.phase is Phase.END}

    def _ended(self) -> list[Job]:
        if not self._answers():
            return []
        states = {state for of_kind in self.ask("status")["work"].values() for state in of_kind}
        return [] if states & {"waiting", "running"} else self.jobs()

    def _answers(self) -> bool:
        try:
            self.ask("status")
        except (OSError, WatcherError):
            return False
        return True

    def _environment(self) -> dict[str, str]:
        base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"}
        package = {"PYTHONPATH": str(self.package)} if self.package else {}
        return {**base, **package, **self.environment}
