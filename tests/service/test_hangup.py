"""SIGHUP to a daemon at a terminal: a wish to look for changes, or the end of the terminal."""

import os
import signal
import sys
from pathlib import Path

from tests.fakes.terminal import Terminal

SETTINGS = """
[watcher]
state = "state"
handlers = "handlers"

[account.support]
address = "ann@example.org"
host = "127.0.0.1"
port = 1
password = { command = "echo secret" }
"""


def test_a_closed_terminal_ends_the_daemon_and_kill_hup_does_not(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(SETTINGS)
    with Terminal([sys.executable, "-m", "watcher", "--config", str(config), "run"]) as terminal:
        terminal.until("watching 1 folders", 60)
        os.kill(terminal.pid, signal.SIGHUP)
        config.write_text("nonsense")  # told of within a moment, by a daemon that lives
        terminal.until("config.toml:1", 60)
        assert terminal.hung_up() == 0
        assert b"stopping" not in terminal.shown
