"""The commands that ask: `status` and `jobs`, against a control socket that answers as the case wants."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from watcher.cli.main import app
from watcher.service.control import Control

CONFIG = """
[account.support]
address = "support@example.com"
password = { env = "X" }

[[rule]]
run = ["save"]

[watcher]
state = "state"
"""

HOSTILE = "a\x1b]0;pwned\x07\r\nforged\u202e\ud800"
SAFE = r"a\x1b]0;pwned\x07\r\nforged\u202e\ud800"

AGES = {"heard": 1.0, "connected": 1.0, "scanned": 1.0}
FOLDER = {
    "account": "support",
    "folder": HOSTILE,
    "state": "live",
    "mails": 1,
    "left_out": 0,
    "trouble": HOSTILE,
    "age": AGES,
}
JOB = {
    "id": 17,
    "kind": "job",
    "name": "book",
    "target": HOSTILE,
    "status": "dead",
    "due": None,
    "attempts": 1,
    "reason": HOSTILE,
    "account": "support",
    "folder": HOSTILE,
    "uid": 1,
    "size": 1,
    "received": 0.0,
    "key": "k",
    "spooled": 1,
}
SHOWN = JOB | {"output": "one\n\ttwo\n", "history": [{"attempt": 1, "status": "dead", "at": 0.0, "reason": HOSTILE}]}
ANSWERS = {"status": {"folders": [FOLDER], "work": {}}, "jobs": [JOB], "job": SHOWN, "retry": SHOWN}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "save.py").touch()
    (tmp_path / "state").mkdir(mode=0o700)
    return path


@pytest.fixture
def daemon(config: Path) -> Iterator[Control]:
    control = Control(config.parent / "state" / "control.sock", lambda request: ANSWERS[request["verb"]], print)
    yield control
    control.close()


def run(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "watcher", "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("arguments", [["status"], ["jobs", "list"], ["jobs", "show", "17"], ["jobs", "retry", "17"]])
def test_words_of_a_server_are_shown_safe(config: Path, daemon: Control, arguments: list[str]) -> None:
    done = run(config, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert SAFE in done.stdout or arguments[1:2] == ["retry"]
    assert all(line.replace("\t", "").isprintable() for line in done.stdout.split("\n"))
    assert "    one\n    \ttwo\n" in done.stdout or arguments[1:2] != ["show"]


def test_scripts_get_the_words_as_they_are(config: Path, daemon: Control) -> None:
    assert json.loads(run(config, "jobs", "list", "--json").stdout) == [JOB]


@pytest.mark.parametrize("arguments", [["status"], ["jobs", "list"]])
def test_a_daemon_that_hangs_up_in_the_middle(config: Path, arguments: list[str]) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(str(config.parent / "state" / "control.sock"))
        line.listen()
        command = [sys.executable, "-m", "watcher", "--config", str(config), *arguments]
        asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        caller, _ = line.accept()
        with caller:
            caller.recv(1000)
            caller.sendall(b'{"answer": [')
        told, complaint = asking.communicate(timeout=60)
    assert (asking.returncode, told) == (1, "")
    assert complaint == "imap-watcher: the daemon ended before it answered\n"


@pytest.mark.parametrize("arguments", [["status"], ["jobs", "list"]])
def test_a_socket_that_can_not_be_asked(config: Path, arguments: list[str]) -> None:
    """Connecting fails in another way than where nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(config.parent / "state" / "control.sock"))
        done = run(config, *arguments)
    where = config.parent / "state" / "control.sock"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"imap-watcher: the daemon on {where} does not answer: Protocol wrong type for socket\n")


def test_no_daemon_and_no_ledger(config: Path) -> None:
    assert "no daemon runs with" in run(config, "status").stderr
    done = run(config, "jobs", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no daemon has run yet with" in done.stderr


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "x"])
@pytest.mark.parametrize("verb", ["show", "retry", "drop"])
def test_what_is_no_number_of_a_job(config: Path, verb: str, number: str) -> None:
    assert CliRunner().invoke(app, ["--config", str(config), "jobs", verb, "--", number]).exit_code == 2
