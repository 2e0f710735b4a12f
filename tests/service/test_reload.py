"""What is noticed of files that change, and what is not."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.service.reload import Reload


class Looks:
    """Counts the looks."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.number = 0

    def __call__(self) -> None:
        with self.condition:
            self.number += 1
            self.condition.notify_all()

    def reach(self, number: int) -> bool:
        with self.condition:
            return self.condition.wait_for(lambda: self.number >= number, 30)


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "handlers").mkdir()
    path = tmp_path / "etc" / "config.toml"
    path.write_text("one")
    return path


@pytest.fixture
def reload(file: Path, looks: Looks) -> Iterator[Reload]:
    failures: list[BaseException] = []
    opened = Reload({file.parent: file, file.parent.parent / "handlers": None}, looks, failures.append)
    assert opened.look_now(30)
    yield opened
    opened.close()
    assert not failures


def edit(path: Path) -> None:
    path.write_text("two")


def swap(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text("two")
    fresh.rename(path)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [edit, swap, remove])
@pytest.mark.usefixtures("reload")
def test_a_change_of_the_configuration_is_noticed(file, looks, change):
    before = looks.number
    change(file)
    assert looks.reach(before + 1)


@pytest.mark.parametrize("name", ["book.sh", "lib.py"])
@pytest.mark.usefixtures("reload")
def test_any_change_among_the_handlers_is_noticed(file, looks, name):
    before = looks.number
    path = file.parent.parent / "handlers" / name
    path.write_text("x")
    assert looks.reach(before + 1)
    before = looks.number
    path.chmod(0o755)
    assert looks.reach(before + 1)


@pytest.mark.usefixtures("reload")
def test_lines_that_are_added_to_a_log_beside_the_configuration_wake_nobody(file, monkeypatch):
    heard = []
    with file.with_name("log").open("a", buffering=1) as log:
        monkeypatch.setattr("watcher.service.reload._Ear.dispatch", lambda _, event: heard.append(event))
        log.write("handled\n")
        edit(file)
        end = time.monotonic() + 30
        while not any(event.src_path == str(file) for event in heard):
            assert time.monotonic() < end
            threading.Event().wait(0.01)
    assert "modified" not in {event.event_type for event in heard}


@pytest.mark.usefixtures("reload")
def test_a_hangup_is_a_wish_to_look(looks):
    before = looks.number
    os.kill(os.getpid(), signal.SIGHUP)
    assert looks.reach(before + 1)


@pytest.mark.usefixtures("reload")
def test_what_lies_beside_the_configuration_is_not_our_affair(file, looks):
    """Events come in their order: when the last one has come, so has one of the first file, had there been one."""
    heard = Reload({file.parent: file.parent / "other"}, lambda: None, lambda _error: None)
    try:
        assert heard.look_now(30)
        before = looks.number
        for _ in range(3):
            rounds = heard.rounds
            (file.parent / "other").write_text("x")
            with heard.looked:
                assert heard.looked.wait_for(lambda rounds=rounds: heard.rounds > rounds, 30)
    finally:
        heard.close()
    assert looks.number == before


def test_a_directory_that_is_made_anew_is_looked_at_again(file, looks, reload):
    folder = file.parent.parent / "handlers"
    folder.rmdir()
    folder.mkdir()
    assert reload.look_now(30)
    before = looks.number
    (folder / "book.sh").write_text("x")
    assert looks.reach(before + 1)


def test_without_a_directory_it_lives_on(file, looks, reload):
    (file.parent.parent / "handlers").rmdir()
    assert reload.look_now(30)
    before = looks.number
    edit(file)
    assert looks.reach(before + 1)


def test_a_bug_while_looking_ends_the_process(file):
    failed = threading.Event()

    def look() -> None:
        raise ZeroDivisionError

    reload = Reload({file.parent: file}, look, lambda _error: failed.set())
    reload.request()
    assert failed.wait(30)
    reload.close()
