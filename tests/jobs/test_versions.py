"""Handlers that are edited, broken, mended, removed and added: what runs, and what is told of it."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.errors import HandlerMissing
from watcher.jobs.program import CannotStart
from watcher.jobs.soundness import check
from watcher.jobs.versions import Versions
from watcher.model import Verdict


def accept(*_: object) -> None:
    """Nothing is wrong with any handler."""


def refuse(name: str, program: Path, _replaces: bool) -> None:
    if b"broken" in program.read_bytes():
        raise CannotStart(f"{program} is broken")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "authors"
    path.mkdir()
    return path


@pytest.fixture
def versions(folder: Path, tmp_path: Path) -> Versions:
    return Versions(folder, tmp_path / "kept", accept, refuse)


def test_a_sound_edit_is_taken_over_when_it_is_looked_for(folder, versions):
    (folder / "book.sh").write_text("one")
    assert versions.current("book").read_text() == "one"
    (folder / "book.sh").write_text("another")
    assert versions.current("book").read_text() == "one"
    assert versions.refresh()
    assert versions.current("book").read_text() == "another"
    assert not versions.refresh()


def test_a_broken_edit_is_told_and_never_runs(folder, versions):
    (folder / "book.sh").write_text("one")
    versions.current("book")
    (folder / "book.sh").write_text("broken")
    assert versions.refresh()
    assert versions.current("book").read_text() == "one"
    assert versions.troubles() == {"book": f"{folder / 'book.sh'} is broken; the version before it still runs"}
    (folder / "book.sh").write_text("mended")
    assert versions.refresh()
    assert versions.current("book").read_text() == "mended"
    assert versions.troubles() == {}


def test_one_that_was_broken_from_the_first_is_held_until_it_is_mended(folder, versions):
    (folder / "book.sh").write_text("broken")
    with pytest.raises(CannotStart, match=r"book\.sh is broken"):
        versions.current("book")
    (folder / "book.sh").write_text("mended")
    assert versions.refresh()
    assert versions.current("book").read_text() == "mended"


def test_one_that_is_removed_runs_no_more_and_comes_back(folder, versions):
    (folder / "book.sh").write_text("one")
    program = versions.current("book")
    (folder / "book.sh").unlink()
    with pytest.raises(HandlerMissing):
        versions.current("book")
    assert versions.refresh()
    assert "book" in versions.troubles()
    assert program.exists()  # somebody may run it still
    (folder / "book.sh").write_text("two")
    with pytest.raises(CannotStart, match="looked at first"):  # it may be half-written
        versions.current("book")
    assert versions.refresh()
    assert versions.current("book").read_text() == "two"


def test_one_that_others_could_write_is_not_run_though_it_once_was_sound(folder, tmp_path):
    trusted = [True]

    def trust(_file: Path) -> None:
        if not trusted[0]:
            raise CannotStart("others may write it")

    versions = Versions(folder, tmp_path / "kept", trust, accept)
    (folder / "book.sh").write_text("one")
    versions.current("book")
    trusted[0] = False
    with pytest.raises(CannotStart, match="others"):
        versions.current("book")


def test_a_new_execute_bit_is_a_change(folder, versions):
    (folder / "book.sh").write_text("one")
    first = versions.current("book")
    (folder / "book.sh").chmod(0o755)
    assert versions.refresh()
    assert versions.current("book") != first
    assert versions.current("book").stat().st_mode & 0o100


def test_what_lies_beside_a_handler_is_found_from_its_copy(folder, versions):
    (folder / "common.sh").write_text("shared")
    (folder / "book.sh").write_text("one")
    program = versions.current("book")
    assert (program.parent / "common.sh").read_text() == "shared"


def test_what_comes_to_lie_beside_a_handler_later_is_found_too(folder, versions):
    (folder / "book.sh").write_text("one")
    program = versions.current("book")
    (folder / "words.txt").write_text("new")
    assert not versions.refresh(), "the handler itself is the same"
    assert (program.parent / "words.txt").read_text() == "new"


@pytest.mark.parametrize("name", ["book.py", "book.sh"])
def test_a_link_to_where_its_author_works(folder, versions, tmp_path, name):
    project = tmp_path / "project"
    project.mkdir()
    (project / name).write_text("one")
    (project / "common.py").write_text("shared")
    (folder / name).symlink_to(project / name)
    program = versions.current("book")
    assert (program.parent / "common.py").read_text() == "shared"
    (project / name).write_text("another")
    assert versions.refresh()
    assert versions.current("book").read_text() == "another"
    (project / "common.py").write_text("changed")
    assert versions.refresh() is name.endswith(".py")


def test_what_it_lacked_may_be_there_later(folder, tmp_path, caplog):
    library = tmp_path / "library"

    def check(_name: str, _program: Path, _replaces: bool) -> None:
        if not library.exists():
            raise CannotStart("its library is missing")

    versions = Versions(folder, tmp_path / "kept", accept, check)
    (folder / "book.sh").write_text("one")
    with pytest.raises(CannotStart, match="library"):
        versions.current("book")
    assert not versions.refresh()
    assert len(caplog.records) == 1, "the same is told once"
    library.touch()
    assert versions.refresh()
    assert versions.current("book").read_text() == "one"
    assert versions.troubles() == {}


def test_nothing_is_left_of_a_version_that_could_not_be_looked_at(folder, tmp_path):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    versions = Versions(folder, tmp_path / "kept", accept, fail)
    (folder / "book.sh").write_text("one")
    with pytest.raises(OSError, match="No space"):
        versions.current("book")
    assert list((tmp_path / "kept").iterdir()) == []


def test_python_is_started_anew_when_a_neighbour_changes(folder, versions):
    (folder / "lib.py").write_text("A = 1")
    (folder / "book.py").write_text("import lib")
    first = versions.current("book")
    (folder / "lib.py").write_text("A = 22")
    assert versions.refresh()
    assert versions.current("book") != first


def test_a_binary_stays_where_it_is(folder, versions):
    shutil.copy("/bin/true", folder / "book")
    assert versions.current("book") == folder / "book"


def test_copies_of_an_earlier_life_are_cleared_away(folder, tmp_path):
    (tmp_path / "kept" / "book.1").mkdir(parents=True)
    Versions(folder, tmp_path / "kept", accept, accept)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("a.sh", "#!/bin/sh\nif true; then\n", "end of file unexpected"),
        ("a.sh", "#!/bin/bash\necho $(\n", "unexpected"),
        ("a", "#!/usr/bin/env bash\nfor\n", "syntax error"),
        ("a", "#!/usr/bin/env -S python3 -B\nx = = 1\n", "SyntaxError: invalid syntax"),
        ("a.py", "import missing_module\ndef handle(message): pass\n", "No module named 'missing_module'"),
        ("a.py", "def handle(message) pass\n", "SyntaxError"),
    ],
)
def test_an_interpreter_tells_what_is_broken(tmp_path, file, text, fault):
    program = tmp_path / file
    program.write_text(text)
    program.chmod(0o644 if file.endswith(".py") else 0o755)
    with pytest.raises(CannotStart, match=fault):
        check("a", program, HandlerSettings())


@pytest.mark.parametrize("text", ["#!/bin/sh\ntouch ran\n", "#!/usr/bin/perl\nprint 1;\n", "#!/bin/cat\n"])
def test_a_sound_script_or_one_that_can_not_be_checked_passes_and_does_not_run(tmp_path, text):
    program = tmp_path / "a"
    program.write_text(text)
    program.chmod(0o755)
    check("a", program, HandlerSettings())
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_script_that_is_edited_while_it_runs_ends_as_it_began(room, tmp_path):
    """A shell reads its file as it goes: one that was edited in place would go on in the middle of another."""
    room.script("book", f"echo begun > '{tmp_path}/begun'\nread x < '{tmp_path}/gate'\necho old\n")
    os.mkfifo(tmp_path / "gate")
    room.mail()
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(room.run("book")))
    thread.start()
    with (tmp_path / "gate").open("w") as gate:
        room.script("book", "echo a new one that is longer than the old one was, by far, so that it would show\n" * 9)
        assert room.dispatcher.refresh()
        gate.write("\n")
    thread.join()
    assert (outcomes[0].verdict, outcomes[0].output) == (Verdict.DONE, "old\n")
    assert room.run("book").output.startswith("a new one")
