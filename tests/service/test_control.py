"""The control socket: one question, one answer, for its owner only."""

import errno
import logging
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from watcher.errors import ConfigError, StateLocked, StorageFailed, WatcherError
from watcher.service import control as module
from watcher.service.control import LONGEST, MOST, Control, Refused, ask
from watcher.service.logs import OneLine


def answer(request: dict) -> object:
    if request["verb"] == "bad":
        raise WatcherError("that can't be done")
    if request["verb"] == "closed":
        raise PermissionError(errno.EACCES, "Permission denied", "/spool/x")
    if request["verb"] == "much":
        return "x" * LONGEST
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
    with pytest.raises(Refused, match="/spool/x: Permission denied"):
        ask(path, {"verb": "closed"})


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


@pytest.mark.parametrize(
    "rubbish", [b"", b"\n", b"no json\n", b"[1, 2]\n", b'{"verb": 5}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n"]
)
def test_rubbish_does_not_end_it(path: Path, rubbish: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
        caller.sendall(rubbish)
        caller.shutdown(socket.SHUT_WR)
        caller.recv(1000)
    assert ask(path, {"verb": "x"}) == {"echo": {"verb": "x"}}


def test_what_others_make_meanwhile_is_made_as_ever(tmp_path: Path) -> None:
    """A umask is that of all threads: with the one for a socket, a directory could not be entered."""
    modes, over = set(), threading.Event()

    def make() -> None:
        for number in range(1_000_000):
            (tmp_path / f"{number}").mkdir(mode=0o700)
            modes.add((tmp_path / f"{number}").stat().st_mode & 0o777)
            (tmp_path / f"{number}").rmdir()
            if over.is_set():
                break

    maker = threading.Thread(target=make)
    maker.start()
    for _ in range(300):
        module.listen(tmp_path / "control.sock").close()
        (tmp_path / "control.sock").unlink()
    over.set()
    maker.join()
    assert modes == {0o700}


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        ask(tmp_path / "none.sock", {"verb": "x"})


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n", b"[1]\n", b"5\n", b"\xff\n", b"[" * 100_000 + b"\n"])
def test_another_program_that_answers_is_known_as_such(tmp_path: Path, says: bytes) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as other, ThreadPoolExecutor() as pool:
        other.bind(str(path))
        other.listen()

        def serve() -> None:
            caller, _ = other.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(says)

        served = pool.submit(serve)
        with pytest.raises(Refused, match="is no imap-watcher"):
            ask(path, {"verb": "x"})
        served.result(30)


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


def test_an_answer_that_is_too_long_is_refused_in_words(path: Path) -> None:
    with pytest.raises(Refused, match="the answer would have 16 MB"):
        ask(path, {"verb": "much"})


def test_a_request_without_end_is_refused(path: Path) -> None:
    with pytest.raises(Refused, match="more than 16 MB"):
        ask(path, {"verb": "x" * LONGEST})


def test_silent_callers_keep_others_waiting_only_so_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HASTE", 0.3)
    with ExitStack() as stack:
        callers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2 * MOST)]
        for caller in callers:
            caller.connect(str(path))
            caller.sendall(b"{")
        assert ask(path, {"verb": "x"}) == {"echo": {"verb": "x"}}
        assert callers[0].recv(100) == b""


def test_nobody_waits_for_the_long_answer_to_another(tmp_path: Path) -> None:
    over = threading.Event()
    control = Control(tmp_path / "control.sock", lambda request: request["n"] or over.wait(60), lambda error: None)
    with ThreadPoolExecutor() as pool:
        long = [pool.submit(ask, control.path, {"n": 0}) for _ in range(3)]
        assert ask(control.path, {"n": 1}) == 1
        assert not any(future.done() for future in long)
        over.set()
        assert all(future.result(30) is True for future in long)
    control.close()


def test_what_is_being_answered_is_answered_to_its_end(tmp_path: Path) -> None:
    begun, over = threading.Event(), threading.Event()

    def work(_: object) -> object:
        begun.set()
        return over.wait(60)

    control = Control(tmp_path / "control.sock", work, lambda error: None)
    with ThreadPoolExecutor() as pool:
        answered = pool.submit(ask, control.path, {})
        assert begun.wait(30)
        closed = pool.submit(control.close)
        with pytest.raises(TimeoutError):
            closed.result(0.2)
        over.set()
        assert answered.result(30) is True
        closed.result(30)


def test_a_thousand_callers_at_once_are_all_answered(path: Path) -> None:
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda n: ask(path, {"verb": "x", "n": n})["echo"]["n"], range(1000)))
    assert answers == list(range(1000))


def test_a_silent_caller_does_not_keep_it_from_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HASTE", 250.0)
    monkeypatch.setattr(module, "PATIENCE", 250.0)
    control = Control(tmp_path / "control.sock", answer, lambda error: None)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(control.path))
        while not control.callers:
            threading.Event().wait(0.01)
        closing = threading.Thread(target=control.close, daemon=True)
        closing.start()
        closing.join(20)
        assert not closing.is_alive()


def test_it_outlives_a_shortage_of_files(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as caller:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            caller.connect(str(path))
            caller.sendall(b"\n")  # the kernel had a number for this one; it has none for the next
            while os.strerror(errno.EMFILE) not in caplog.text:
                threading.Event().wait(0.01)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert ask(path, {"verb": "x"}) == {"echo": {"verb": "x"}}


def test_a_failing_disk_ends_the_process(tmp_path: Path) -> None:
    def fail(_: object) -> object:
        raise StorageFailed("disk full")

    failures: list[BaseException] = []
    control = Control(tmp_path / "control.sock", fail, failures.append)
    with pytest.raises(Refused, match="ended before it answered"):
        ask(control.path, {"verb": "x"})
    control.close()
    assert [str(failure) for failure in failures] == ["disk full"]


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "diary"
    file.write_text("dear diary")
    link = tmp_path / "link"
    link.symlink_to(file)
    for path in (file, link, tmp_path):
        with pytest.raises(ConfigError, match="is not a socket"):
            Control(path, answer, lambda error: None)
    assert file.read_text() == "dear diary"
    assert link.is_symlink()


def test_the_socket_of_another_is_left_alone(path: Path) -> None:
    with pytest.raises(StateLocked, match="another process listens there"):
        Control(path, answer, lambda error: None)
    assert ask(path, {"verb": "x"})


def test_what_took_its_place_is_left_there(tmp_path: Path) -> None:
    control = Control(tmp_path / "control.sock", answer, lambda error: None)
    control.path.rename(tmp_path / "away")
    control.path.write_text("something else")
    control.close()
    assert control.path.read_text() == "something else"


def test_a_log_line_is_one_printable_line() -> None:
    hostile = "a\r\nforged line\x1b[31m\u202e\u2028\ud800" + "x" * 5000
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (hostile,), None)
    line = OneLine("%(levelname)s %(message)s").format(record)
    assert line.isprintable()
    assert "\n" not in line
    assert len(line) < 2100
