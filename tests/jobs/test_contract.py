"""The pure part of contract 1: every exit code and signal, the key, the variables."""

import dataclasses
import re
from pathlib import Path
from signal import Signals

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs.contract import TAG, Run, environment, exited, key, verdict
from watcher.jobs.program import HandlerKind, Program
from watcher.model import MailFolder, Place, Verdict

STATED = {
    0: Verdict.DONE,
    99: Verdict.STOP,
    **dict.fromkeys((64, 65, 66, 67, 68, 69, 70, 72, 73, 76, 77, 100, 112), Verdict.NEVER),
    **dict.fromkeys((78, 126, 127), Verdict.HOLD),
}


@pytest.mark.parametrize("code", range(256))
def test_each_exit_code_means_what_the_page_says(code):
    assert verdict(code) is STATED.get(code, Verdict.LATER)
    assert exited(code, "").verdict is verdict(code)


@pytest.mark.parametrize("number", range(1, 65))
def test_each_signal_is_a_crash(number):
    ending = exited(-number, "")
    assert ending.verdict is Verdict.CRASHED
    assert ending.reason.startswith("killed by SIG" if number in set(Signals) else f"killed by signal {number}")


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (0, "all is well\n", ""),
        (1, "", "exit 1"),
        (1, "Traceback\n  line\nKeyError: 'x'\n\n", "exit 1: KeyError: 'x'"),
        (77, "", "exit 77 (permission denied)"),
        (127, "sh: 1: pdftotxt: not found\n", "exit 127 (a command was not found): sh: 1: pdftotxt: not found"),
        (3, "x" * 1000, "exit 3: " + "x" * 199 + "…"),
    ],
)
def test_the_reason_is_one_line_in_words(code, output, reason):
    assert exited(code, output).reason == reason


def test_the_key_is_the_same_for_each_attempt_and_another_for_each_handler_and_mail(room):
    work = room.work("book")
    assert re.fullmatch("[a-z2-7]{32}", key(work))
    elsewhere = Place("support", "INBOX", 8, 17)  # the mailbox was made anew between two attempts
    assert key(dataclasses.replace(work, attempt=5, tries=4, id=9, place=elsewhere, first_at=1.0)) == key(work)
    others = [dataclasses.replace(work, name="file"), dataclasses.replace(work, key="another mail")]
    assert len({key(work), *map(key, others)}) == 3


def test_the_environment_is_ours_alone(room, monkeypatch):
    monkeypatch.setenv("PASSWORD_OF_THE_DAEMON", "secret")
    settings = HandlerSettings(env={"TO": "/srv", "PATH": "/opt/bin"})
    work = room.work("book", attempt=3)
    program = Program(HandlerKind.PROGRAM, ("/h/book",), Path("/h/book"))
    folder, temporary, home, state = MailFolder(Path("/s/m1")), Path("/t/tag-1"), Path("/home/x"), Path("/kept/book")
    run = Run(work, program, folder, temporary, "tag-1", home, state, settings)
    variables = environment(run)
    assert variables == {
        "PATH": "/opt/bin",
        "HOME": "/home/x",
        "LANG": "C.UTF-8",
        "TMPDIR": "/t/tag-1",
        "TO": "/srv",
        "WATCHER_CONTRACT": "1",
        "WATCHER_KEY": key(work),
        "WATCHER_ATTEMPT": "3",
        "WATCHER_FIRST_AT": "2026-11-21T10:00:00+00:00",
        "WATCHER_ACCOUNT": "support",
        "WATCHER_FOLDER": "INBOX",
        "WATCHER_UIDVALIDITY": "7",
        "WATCHER_UID": "42",
        "WATCHER_HANDLER": "book",
        "WATCHER_SHA256": work.digest,
        "WATCHER_MESSAGE": "/s/m1/message.json",
        "WATCHER_MAIL": "/s/m1/message.eml",
        "WATCHER_ACTIONS": "/t/tag-1.actions",
        "WATCHER_STATE": "/kept/book",
        TAG: "tag-1",
    }
