"""A handler that is pinned by its SHA-256 runs with these bytes or not at all."""

import resource
from hashlib import sha256

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs.pins import Pins
from watcher.jobs.program import HandlerKind, Program
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
    program = Program(HandlerKind.PROGRAM, (str(path), "x"), path)
    pinned = pins.held(program, digest(path))
    path.write_text("evil")
    assert pinned.argv == (str(pinned.file), "x")
    assert pinned.file.read_text() == "good"


def test_a_full_disk_leaves_no_part_of_it_to_be_run(tmp_path):
    path = tmp_path / "book"
    path.write_bytes(b"#!/bin/sh\nexit 0\n" + b"#" * 100_000)
    pins = Pins(tmp_path / "pins")
    program = Program(HandlerKind.PROGRAM, (str(path),), path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))  # Python ignores the signal: the write fails
    try:
        with pytest.raises(OSError, match="too large"):
            pins.held(program, digest(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert pins.held(program, digest(path)).file.read_bytes() == path.read_bytes()


def test_nothing_to_pin_is_no_match(tmp_path):
    with pytest.raises(Exception, match="no file"):
        Pins(tmp_path / "pins").held(Program(HandlerKind.WEBHOOK), "0" * 64)
