"""One child process, without a handler around it."""

import fcntl
import os
from pathlib import Path

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs.process import Child, Command, End, follow, output_pipe
from watcher.jobs.program import CannotStart

SETTINGS = HandlerSettings()


@pytest.fixture
def stop():
    fd = os.eventfd(0)
    yield fd
    os.close(fd)


@pytest.fixture
def null():
    with Path(os.devnull).open("rb") as file:
        yield file.fileno()


def shell(text, directory="/"):
    return Command(["/bin/sh", "-c", text], Path(directory), {"PATH": "/usr/bin:/bin"})


def test_what_lies_in_the_pipe_of_one_that_is_gone_is_read(null, stop):
    with output_pipe() as pipe:
        fcntl.fcntl(pipe.writer, fcntl.F_SETPIPE_SZ, 1 << 20)
        child = Child(shell("head -c 500000 /dev/zero; echo end"), null, pipe.writer, SETTINGS)
        pipe.handed_over()
        assert child.ended(60)
        assert follow(child, pipe, child.pidfd, SETTINGS, stop) is End.OVER
        assert child.reap() == 0
    assert pipe.capture.total == 500_004
    assert pipe.capture.text().endswith("\\x00end\n")


def test_one_that_is_started_too_late_is_ended_at_once(null, stop):
    os.eventfd_write(stop, 1)
    with output_pipe() as pipe:
        child = Child(shell("sleep 600"), null, pipe.writer, SETTINGS)
        assert follow(child, pipe, child.pidfd, SETTINGS, stop) is End.INTERRUPTED
        assert child.reap() == -15
        assert child.reap() == -15
        assert child.ended()


def test_a_directory_that_is_missing(null, tmp_path):
    with output_pipe() as pipe, pytest.raises(CannotStart, match="No such file or directory"):
        Child(shell("exit 0", tmp_path / "missing"), null, pipe.writer, SETTINGS)
