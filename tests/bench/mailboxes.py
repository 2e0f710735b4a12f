"""Thousands of mailboxes on a server that costs little, and runs in a process of its own; see `loopback`."""

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

import trustme

__all__ = ["Mailboxes"]


class Mailboxes:
    """
    The server as its user sees it; a context manager.

    `waiting`: mails that lie in each mailbox from the beginning.
    """

    host = "127.0.0.1"
    password = "secret"

    def __init__(self, waiting: int = 0) -> None:
        self._waiting = waiting

    def __enter__(self) -> Self:
        self._open = contextlib.ExitStack()
        place = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="mailboxes-")))
        authority = trustme.CA()
        authority.issue_cert(self.host).private_key_and_cert_chain_pem.write_to_path(str(place / "server.pem"))
        self.ca_file = place / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        command = [sys.executable, "-m", "tests.bench.loopback", str(place / "server.pem"), str(self._waiting)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._open.callback(self._end)
        (self.port,) = self._told()
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def idling(self) -> int:
        """How many links are in IDLE."""
        (number,) = self._ask("idling")
        return int(number)

    def burst(self, each: int, pace: float) -> dict[str, float]:
        """
        One mail more to each of the first `each` users (by name) that are in IDLE, `pace` a second (0: at once); X-Case
        of each and when it was told of (time.time()).
        """
        return dict(self._ask("burst", each, pace))

    def reset(self, user: str) -> tuple[str, float]:
        """End the links of a user with RST, and at the same moment have a mail for him; its X-Case, and when."""
        case, at = self._ask("reset", user)
        return case, at

    def _ask(self, *words: object) -> list:
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> list:
        return json.loads(self._process.stdout.readline())

    def _end(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
