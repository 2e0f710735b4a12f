"""The demo's life: server, daemon, three mails, the next step; everything is gone afterwards, also on Ctrl-C."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TypeVar

from watcher.cli.demo.directory import DemoDirectory, laid_out
from watcher.cli.demo.mails import samples
from watcher.cli.demo.server import PASSWORD, USER, DemoServer
from watcher.cli.demo.show import Screen
from watcher.errors import WatcherError

__all__ = ["main"]

#: Seconds in which all three mails must be through.
LIMIT = 60.0
#: Seconds the daemon gets to end by itself.
FAREWELL = 25.0

Found = TypeVar("Found")
Daemon = subprocess.Popen[bytes]


class DemoFailed(WatcherError):
    """The demo did not come to its end; the text is a clause that says why."""


def main(arguments: list[str]) -> int:
    """Run the demo; its exit code. `--stay`: go on until Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    screen = Screen()
    with laid_out() as built, DemoServer(built.certificate) as server:
        built.configure(USER, PASSWORD, server.host, server.port)
        screen.opening(server, built)
        try:
            with _daemon(built) as daemon:
                shown = _send_three(daemon, server, built, screen)
                if "--stay" in arguments:
                    _stay(daemon, server, built, screen, shown)
        except DemoFailed as failure:
            screen.failed(str(failure), built.log.read_text(errors="backslashreplace"))
            return 1
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
    screen.next_step()
    return 0


@contextmanager
def _daemon(built: DemoDirectory) -> Iterator[Daemon]:
    """The daemon as a user would start it, in a session of its own so that Ctrl-C reaches it only through us."""
    command = [sys.executable, "-P", "-m", "watcher", "--config", str(built.config), "run"]
    with built.log.open("wb") as log:
        daemon = subprocess.Popen(  # noqa: S603 our own interpreter and module, no shell
            command, cwd=built.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield daemon
    finally:
        daemon.terminate()
        try:
            daemon.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _send_three(daemon: Daemon, server: DemoServer, built: DemoDirectory, screen: Screen) -> set[int]:
    """Send the mails one after the other and show what becomes of each; their UIDs."""
    deadline = time.monotonic() + LIMIT
    uids = set()
    for sample in samples():
        screen.heading(sample.title)
        arrived = time.monotonic()
        uid = server.deliver(sample.raw)
        report = _wait(daemon, partial(built.report, uid), deadline, "the mail did not reach both handlers")
        _wait(daemon, partial(server.is_seen, uid), deadline, "the mail was not marked as read")
        screen.handled(report, time.monotonic() - arrived)
        uids.add(uid)
    return uids


def _stay(daemon: Daemon, server: DemoServer, built: DemoDirectory, screen: Screen, shown: set[int]) -> None:
    """Show every further mail as it is handled, until Ctrl-C."""
    screen.staying(server, built)
    try:
        while True:
            for uid in sorted(built.reported() - shown):
                if (report := built.report(uid)) and server.is_seen(uid):
                    screen.heading(f"mail {uid}")
                    screen.handled(report)
                    shown.add(uid)
            _pause(daemon)
    except KeyboardInterrupt:
        return  # the way it is meant to end


def _wait(daemon: Daemon, look: Callable[[], Found | None], deadline: float, failure: str) -> Found:
    """The first true answer of `look`. Raises DemoFailed with `failure` at the deadline, or if the daemon ends."""
    while not (found := look()):
        if time.monotonic() >= deadline:
            raise DemoFailed(f"{failure} within {LIMIT:.0f} seconds")
        _pause(daemon)
    return found


def _pause(daemon: Daemon) -> None:
    """Let a moment pass, cut short by the daemon's end, which is a failure."""
    try:
        code = daemon.wait(0.05)
    except subprocess.TimeoutExpired:
        return
    raise DemoFailed(f"the daemon ended by itself with exit code {code}")


def _leave(number: int, _frame: FrameType | None) -> None:
    """A signal to end: unwind, so that the daemon and the directory go as well."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
