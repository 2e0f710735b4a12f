"""The control socket: one question, one answer, for its owner only."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.errors import WatcherError
from watcher.service.control import Control, Refused, ask
from watcher.service.logs import OneLine


def answer(request: dict) -> object:
    if request["verb"] == "bad":
        raise WatcherError("that can't be done")
    return {"echo": request}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    failures: list[BaseException] = []
    control = Control(tmp_path / "control.sock", answer, failures.append)
    yield control.path
    control.close()
    assert not failures
    assert not control.path.exists()


def test_question_and_answer(path: Path) -> None:
    assert ask(path, {"verb": "x", "n": 1}) == {"echo": {"verb": "x", "n": 1}}
    with pytest.raises(Refused, match="that can't be done"):
        ask(path, {"verb": "bad"})


def test_only_its_owner_may_reach_it(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    if os.geteuid() == 0:
        path.chmod(0o666)
        for parent in (path.parent, *path.parent.parents):
            if parent.stat().st_mode & 0o005 != 0o005 and str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
        stranger = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            "print(s.recv(100))"
        )
        told = subprocess.run([sys.executable, "-c", stranger, str(path)], capture_output=True, text=True, check=False)
        assert told.stdout.strip() == "b''", told


@pytest.mark.parametrize("rubbish", [b"", b"\n", b"no json\n", b"[1, 2]\n", b'{"verb": 5}\n', b"\xff\xfe\n"])
def test_rubbish_does_not_end_it(path: Path, rubbish: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
        caller.sendall(rubbish)
        caller.shutdown(socket.SHUT_WR)
        caller.recv(1000)
    assert ask(path, {"verb": "x"}) == {"echo": {"verb": "x"}}


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        ask(tmp_path / "none.sock", {"verb": "x"})


def test_a_socket_left_by_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(ConnectionError):
        ask(path, {"verb": "x"})
    control = Control(path, answer, lambda error: None)
    assert ask(path, {"verb": "x"})
    control.close()


def test_its_path_may_be_long(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    control = Control(deep / "control.sock", answer, lambda error: None)
    assert ask(deep / "control.sock", {"verb": "x"})
    control.close()


def test_a_log_line_is_one_printable_line() -> None:
    hostile = "a\r\nforged line\x1b[31m\u202e\u2028\ud800" + "x" * 5000
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (hostile,), None)
    line = OneLine("%(levelname)s %(message)s").format(record)
    assert line.isprintable()
    assert "\n" not in line
    assert len(line) < 2100
