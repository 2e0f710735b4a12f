"""A handler that is pinned by its SHA-256 runs with these bytes or not at all."""

from hashlib import sha256

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs.pins import Pins
from watcher.jobs.program import Language, Program
from watcher.model import Verdict


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("isolation", ["none", "sandbox"])
def test_it_runs_while_its_bytes_are_those(room, isolation):
    path = room.script("book", 'echo "${0##*/}"')
    good = digest(path)
    room.settings["book"] = HandlerSettings(sha256=good, isolation=isolation)
    assert (room.run("book").verdict, room.run("book").output) == (Verdict.DONE, "book\n")
    room.script("book", "echo other")
    room.open()
    outcome = room.run("book")
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason == f"book has the SHA-256 {digest(path)}, and {good} is asked for: is the change yours?"


def test_warm_python(room):
    path = room.python("book", "def handle(message): print('ok')\n")
    room.settings["book"] = HandlerSettings(sha256=digest(path))
    assert room.run("book").output == "ok\n"
    room.settings["book"] = HandlerSettings(sha256="0" * 64)
    assert room.run("book").verdict is Verdict.HOLD


def test_what_is_written_into_the_same_file_later_never_runs(tmp_path):
    path = tmp_path / "book"
    path.write_text("good")
    pins = Pins(tmp_path / "pins")
    program = Program(Language.PROGRAM, (str(path), "x"), path)
    pinned = pins.held(program, digest(path))
    path.write_text("evil")
    assert pinned.argv == (str(pinned.file), "x")
    assert pinned.file.read_text() == "good"


def test_nothing_to_pin_is_no_match(tmp_path):
    with pytest.raises(Exception, match="no file"):
        Pins(tmp_path / "pins").held(Program(Language.WEBHOOK), "0" * 64)
