"""
Who takes part: ourselves with several handlers, the floor, and loops on libraries. Each fetches all mails of an inbox,
then those that come, and writes one line into a log for each: the mail's number and when its handler began.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.workbench import Workbench
from tests.system.dovecot import Dovecot

__all__ = [
    "FLOOR",
    "LOOPS",
    "OURS",
    "SCRIPT",
    "SHELL",
    "TUNED_PARSING",
    "WARM",
    "Contestant",
    "Seat",
    "ours",
    "program",
    "taking_part",
]

_CLIENTS = Path(__file__).parent / "clients"
_CONFIG = """
[account.bench]
address = "{seat.user}@test.example"
user = "{seat.user}"
password = {{ file = "{seat.home}/etc/password" }}
host = "{seat.server.host}"
port = {seat.server.port}
ca_file = "{seat.server.ca_file}"
start = "all"

[[rule]]
run = ["handler"]

[watcher]
state = "{seat.home}/state"
handlers = "{seat.home}/etc/handlers"
"""
_WARM = """
import time
log = open({log!r}, "a", buffering=1)
def handle(message):
    began = time.time()
    log.write(f"{{message.header('X-Case')}} {{began:.6f}}\\n")
"""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where somebody takes part: one user's inbox on a server, a directory, and the log to write."""

    bench: Workbench
    server: Dovecot
    user: str
    home: Path

    @property
    def log(self) -> Path:
        return self.home / "handled"

    def said(self) -> str:
        """The end of what was printed there, in one line."""
        return " ".join((self.home / "said").read_text(errors="replace").split())[-300:]


def logged(seat: Seat) -> Mapping[int, float]:
    """As the whole lines of its log tell: mail -> time."""
    text = seat.log.read_text() if seat.log.exists() else ""
    rows = [row.split() for row in text[: text.rfind("\n") + 1].splitlines()]
    return {int(case): float(when) for case, when in rows}


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who takes part."""

    name: str
    command: Callable[[Seat], list[str]]  #: writes what it needs into its home, and tells how to start it
    environment: Mapping[str, str] = field(default_factory=dict)
    handled: Callable[[Seat], Mapping[int, float]] = logged  #: when the handler of each mail began so far


@contextmanager
def taking_part(who: Contestant, seat: Seat) -> Iterator[subprocess.Popen[bytes]]:
    """Its process, ended with all its children at the end; what it prints goes to `seat.home / "said"`."""
    with (seat.home / "said").open("ab") as said:
        process = subprocess.Popen(
            who.command(seat),
            cwd=seat.home,
            env={"PATH": os.environ["PATH"], "HOME": str(seat.home), "LANG": "C.UTF-8", **who.environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        _kill_group(process)


def ours(name: str, handler: Callable[[Seat], tuple[str, str]]) -> Contestant:
    """The daemon with one handler (file name, content)."""

    def command(seat: Seat) -> list[str]:
        etc = seat.home / "etc"
        (etc / "handlers").mkdir(parents=True)
        file, text = handler(seat)
        (etc / "handlers" / file).write_text(text)
        (etc / "handlers" / file).chmod(0o644 if file.endswith(".py") else 0o755)
        write_privately(etc / "password", seat.server.password)
        write_privately(etc / "config.toml", _CONFIG.format(seat=seat))
        return [sys.executable, "-m", "watcher", "--config", str(etc / "config.toml"), "run"]

    return Contestant(name, command)


def write_privately(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def program(
    name: str, file: str, *flags: str, by: str = sys.executable, environment: Mapping[str, str] | None = None
) -> Contestant:
    """One of our own client programs; `{stamp}` in a flag is the program that notes when it began."""

    def command(seat: Seat) -> list[str]:
        server = seat.server
        told = [server.host, str(server.port), str(server.ca_file), seat.user, server.password, str(seat.log)]
        return [by, str(_CLIENTS / file), *told, *(flag.format(stamp=seat.bench.stamp) for flag in flags)]

    return Contestant(name, command, environment or {})


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


WARM = ours("ours, warm Python", lambda seat: ("handler.py", _WARM.format(log=str(seat.log))))
SCRIPT = ours("ours, script", lambda seat: ("handler", f"#!{seat.bench.stamp} {seat.log}\n"))
SHELL = ours("ours, shell script", lambda seat: ("handler", f"#!/bin/sh\nexec {seat.bench.stamp} {seat.log}\n"))
OURS = (WARM, SCRIPT, SHELL)
FLOOR = program("raw TLS socket", "raw.py")
TUNED_PARSING = program("imapclient tuned + mail-parser", "imapclient_loop.py", "--tuned", "--parse")
LOOPS = (
    program("imapclient", "imapclient_loop.py"),
    program("imapclient tuned", "imapclient_loop.py", "--tuned"),
    program("imapclient + mail-parser", "imapclient_loop.py", "--parse"),
    TUNED_PARSING,
    program("imapclient + mail-parser + spawn", "imapclient_loop.py", "--parse", "--spawn={stamp}"),
)
