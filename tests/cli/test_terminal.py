"""What a command prints and can't get rid of: one line says so, and it is no success."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from errno import EIO, ENOSPC
from pathlib import Path

import pytest

from tests.cli.inside import run_inside
from watcher.cli import exits
from watcher.cli.terminal import show_json, writing
from watcher.errors import SpoolFull, WatcherError

SHORT, LONG = ["--version"], ["man"]
SETTINGS = """
[account.support]
address = "ann@example.org"
host = "127.0.0.1"
port = 1
password = { command = "echo secret" }
"""


@dataclass
class Piece:
    subject: str
    files: tuple[str, ...]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "watcher", *words]


@pytest.mark.parametrize("words", [SHORT, LONG])
def test_a_full_disk_is_told_in_one_line(words):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command(*words), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    line = "imap-watcher: what this command prints can't be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, line)


def test_a_full_disk_under_the_state_has_an_exit_code(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(f'{SETTINGS}[watcher]\nstate = "{tmp_path}"\n')
    (tmp_path / "instance.new").symlink_to("/dev/full")
    words = command("--config", str(config), "run")
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == exits.STORAGE
    assert done.stderr.endswith(f"\nimap-watcher: {tmp_path}/instance: No space left on device\n")


@pytest.mark.parametrize(
    ("number", "path", "kind"), [(ENOSPC, "/spool", SpoolFull), (ENOSPC, None, WatcherError), (EIO, "/x", WatcherError)]
)
def test_only_a_file_is_told_as_a_full_disk(number, path, kind):
    with pytest.raises(WatcherError, match="can't be written") as told, writing():
        raise OSError(number, "No", path)
    assert type(told.value) is kind


@pytest.mark.parametrize("words", [SHORT, LONG])
def test_a_reader_that_has_seen_enough_hears_no_complaint(words):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command(*words), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_where_no_word_can_be_said_the_exit_code_still_tells():
    with Path("/dev/full").open("wb") as full:
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        words = command("--config", "/none", "status")
        done = subprocess.run(words, stderr=full, env=buffered, timeout=60, check=False)
    assert done.returncode == exits.CONFIG


@pytest.mark.parametrize("words", [[], ["jobs"], ["jobs", "list"]])
def test_help_is_asked_for_in_both_ways(words):
    long, short = (run_inside(*words, option) for option in ("--help", "-h"))
    assert short.stdout == long.stdout
    assert short.stdout.startswith("Usage: imap-watcher")


def test_json_for_scripts_steers_no_terminal_either(capsys):
    piece = Piece("re\u009b2J\u202e", ("发票",))
    show_json([piece])
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == [{"subject": piece.subject, "files": ["发票"]}]
