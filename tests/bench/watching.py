"""The daemon as watcher of `Mailboxes`, one account each, with a warm handler that notes when it begins."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.mailboxes import Mailboxes
from tests.system.daemon import Daemon

__all__ = ["configured", "daemon", "handled", "until"]

_HANDLER = """
import time
LOG = open({log!r}, "a", buffering=1)
def handle(message):
    LOG.write(f"{{message.header('X-Case')}} {{time.time()}}\\n")
"""


@contextmanager
def daemon(server: Mailboxes, place: Path, log: Path, many: int, settings: str = "") -> Iterator[Daemon]:
    """One for so many mailboxes, whose handler writes to `log`; `settings` are lines of each account's section."""
    made = Daemon(place, server, [], handlers={"log.py": _HANDLER.format(log=str(log))})
    made.config.write_text(configured(server, place, many, settings))
    with made:
        yield made


def configured(server: Mailboxes, place: Path, many: int, settings: str = "") -> str:
    """The configuration: no after-actions, which would be a second link for each mail."""
    accounts = [
        f'[account.user-{number}]\naddress = "user-{number}@test.example"\nuser = "user-{number}"\n'
        f'password = {{ file = "{place}/password" }}\nhost = "{server.host}"\nport = {server.port}\n'
        f'ca_file = "{server.ca_file}"\n{settings}\n'
        for number in range(many)
    ]
    own = (
        f'[[rule]]\nrun = ["log"]\n[watcher]\nlog = "warning"\nstate = "{place}/state"\nhandlers = "{place}/handlers"\n'
    )
    return "".join([*accounts, own])


def handled(log: Path) -> dict[str, float]:
    """When each mail was first there, by its X-Case."""
    rows = [row.split() for row in log.read_text().splitlines()]
    return {case: float(when) for case, when in reversed(rows)}


def until(look: Callable[[], bool], within: float, what: str) -> None:
    """Wait for it; TimeoutError says `what` did not come."""
    end, pause = time.monotonic() + within, threading.Event()
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} takes more than {within:.0f} s")
        pause.wait(0.1)
