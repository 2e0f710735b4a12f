"""The way of an author as the README has it: three commands, in each language, on a real server; and a replay."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.daemon_home import Watched, write_configuration
from tests.system.dovecot import Dovecot
from tests.system.waiting import until

pytestmark = pytest.mark.system

README = (Path(__file__).parents[2] / "README.md").read_text()
[BLOCK] = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "new-handler" in block]
COMMANDS = [line.partition("#")[0].strip() for line in BLOCK.splitlines()]
MAIL = b"From: Ann <ann@example.org>\r\nSubject: hello\r\n\r\nHello.\r\n"


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("sh", "python", "node", "perl")) as running:
        yield running


@pytest.fixture
def author(server, tmp_path, request):
    """Somebody who has set up a mailbox and has `imap-watcher` at hand."""
    return Author(tmp_path, server, request.param)


class Author:
    def __init__(self, home: Path, server: Dovecot, lang: str) -> None:
        self.home, self.lang = home, lang
        self.config = home / "config.toml"
        home.chmod(0o755)
        write_configuration(home, server, [Watched(lang)], {}, "")
        self.config.write_text(re.sub(r"\[\[rule\]\]\n(.+\n)+", "", self.config.read_text()))
        self.config.chmod(0o600)
        installed = home / "bin" / "imap-watcher"
        installed.parent.mkdir()
        installed.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m watcher --config "{self.config}" "$@"\n')
        installed.chmod(0o755)
        python = f"{Path(__file__).parents[2]}"
        self.surroundings = {**os.environ, "PATH": f"{installed.parent}:{os.environ['PATH']}", "PYTHONPATH": python}

    def does(self, command: str) -> str:
        """A line of the README, in the author's language; what it prints."""
        line = command.replace("--lang python", f"--lang {self.lang}")
        done = subprocess.run(
            ["sh", "-c", line], env=self.surroundings, cwd=self.home, capture_output=True, text=True, timeout=120,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), line
        return done.stdout

    def starts(self, command: str) -> subprocess.Popen:
        with (self.home / "log").open("wb") as log:
            return subprocess.Popen(["sh", "-c", f"exec {command}"], env=self.surroundings, cwd=self.home, stderr=log)

    def log(self) -> str:
        return (self.home / "log").read_text()

    def adds(self, printed: str) -> None:
        """The rule that was printed."""
        lines = [line[4:] for line in printed.splitlines() if line.startswith("    ")]
        rule = lines[: next(number for number, line in enumerate(lines) if line.startswith("imap-watcher"))]
        with self.config.open("a") as file:
            file.write("\n" + "\n".join(rule) + "\n")


def test_the_readme_has_them_in_order():
    assert [line.split()[1] for line in COMMANDS] == ["new-handler", "try", "run"]


@pytest.mark.parametrize("author", ["sh", "python", "node", "perl"], indirect=True)
def test_from_nothing_to_a_live_handler(server, author):
    new, trial, live = COMMANDS
    author.adds(author.does(new))
    shown = author.does(trial)
    assert "printed   a mail of " in shown
    assert "next      done, never again on this mail\n" in shown
    assert "rules     rule 1: then nothing\n" in shown

    daemon = author.starts(live)
    try:
        until(lambda: "ready: 1 live" in author.log(), 60, "the daemon to be live")
        server.deliver(author.lang, MAIL)
        until(lambda: author.log().count("job greet") == 1, 60, "the handler to run")
        replayed = author.does("imap-watcher replay --handler greet --from 'ann@*' --status done --again")
        assert replayed.endswith("1 found, 1 to be run again\n")
        until(lambda: author.log().count("job greet") == 2, 60, "it to run once more")
        told = json.loads(author.does("imap-watcher jobs list --kind job --json"))
        assert [(job["name"], job["status"], job["reason"]) for job in told] == [
            ("greet", "done", "0 attachment(s)")
        ] * 2
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0, author.log()
