"""What systemd hears from a daemon: over a socket of our own in the place of its (sd_notify(3))."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot

pytestmark = pytest.mark.system


class Ear:
    """Hears one datagram after the other; each is several lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(60)
        self.heard: list[dict[str, str]] = []

    def hear(self, name: str, value: str | None = None) -> dict[str, str]:
        """The next word that says so."""
        while True:
            lines = self.socket.recv(4096).decode().splitlines()
            self.heard.append(dict(line.split("=", 1) for line in lines))
            if name in self.heard[-1] and value in {None, self.heard[-1][name]}:
                return self.heard[-1]


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    opened = Ear(tmp_path / "notify")
    yield opened
    opened.socket.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with Dovecot(users=("alice", "bob")) as running:
        yield running


def test_the_life_of_a_daemon_as_systemd_hears_it(server, ear, tmp_path):
    daemon = Daemon(tmp_path, server, [Watched("alice"), Watched("bob", settings='renew = "8s"')])
    daemon.environment = {"NOTIFY_SOCKET": str(ear.path), "WATCHDOG_USEC": "3000000"}
    with daemon:
        ready = ear.hear("READY", "1")
        assert ready["STATUS"]
        ear.hear("WATCHDOG", "1")
        if "2 live" not in ready["STATUS"]:
            ear.hear("STATUS", "2 live")

        server.stop()
        while "live" in ear.hear("STATUS")["STATUS"]:  # then one waits, the other is next at the door
            pass
        ear.hear("WATCHDOG", "1")  # that a server is down is no fault of ours
        server.start()
        ear.hear("STATUS", "2 live")

        os.kill(daemon.pid, signal.SIGHUP)
        reloading = ear.hear("RELOADING", "1")
        assert int(reloading["MONOTONIC_USEC"]) > 0
        ear.hear("READY", "1")

        os.kill(daemon.pid, signal.SIGTERM)
        stopping = ear.hear("STOPPING", "1")
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 20_000_000
        assert stopping["STATUS"] == "stopping: SIGTERM"


def test_an_account_that_is_refused_does_not_keep_the_daemon_from_being_ready(server, ear, tmp_path):
    daemon = Daemon(tmp_path, server, [Watched("alice")])
    (tmp_path / "password").write_text("wrong")
    daemon.environment = {"NOTIFY_SOCKET": str(ear.path)}
    with daemon:
        assert ear.hear("READY", "1")["STATUS"] == "1 refused"
