"""Each exit code and each signal, by a real process, against the table that authors read."""

import re
from pathlib import Path
from signal import Signals

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.model import Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "handlers.md").read_text()


def numbers(cell):
    """`64 to 67, 72` as numbers."""
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", cell):
        yield from range(int(first), int(last or first) + 1)


def stated():
    """What the page says of each exit code: the word of its row."""
    table = PAGE.split("| Exit | Means |", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| ([\d, to]+) \| \*\*(\w+)\*\*", table, re.MULTILINE)
    return {code: word for cell, word in rows for code in numbers(cell)}


def test_the_page_tells_all_codes_once():
    table = PAGE.split("| Exit | Means |", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| ([\d, to]+) \| \*\*(\w+)\*\*", table, re.MULTILINE)
    codes = [code for cell, _ in rows for code in numbers(cell)]
    assert sorted(codes) == list(range(256))


@pytest.mark.parametrize("code", range(256))
def test_an_exit_code(room, code):
    room.settings["end"] = HandlerSettings(command=("sh", "-c", f"echo said; exit {code}"))
    outcome = room.run("end")
    assert outcome.verdict is Verdict(stated()[code])
    assert outcome.output == "said\n"
    if code not in {0, 99}:
        assert re.fullmatch(rf"exit {code}( \([a-z/' ]+\))?: said", outcome.reason)


def signals():
    """What the page says of each signal: crashed or nothing."""
    table = PAGE.split("| Signal, limit | Means |", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| ([^|]*) \| \*{0,2}(\w+)\*{0,2} \|", table, re.MULTILINE)
    return {name: word for cell, word in rows for name in re.findall(r"\b[A-Z][A-Z0-9]+\b", cell)}


def test_the_page_tells_all_signals():
    assert {f"SIG{name}" for name in signals()} == {Signals(number).name for number in range(1, 32)}


@pytest.mark.parametrize("number", range(1, 32))
def test_a_signal(room, number):
    name = Signals(number).name
    timeout = 0.1 if name == "SIGSTOP" else 120
    room.settings["end"] = HandlerSettings(command=("sh", "-c", f"kill -{number} $$; exit 0"), timeout=timeout)
    outcome = room.run("end")
    if signals()[name.removeprefix("SIG")] == "nothing":
        assert (outcome.verdict, outcome.reason) == (Verdict.DONE, "")
    else:
        assert outcome.verdict is Verdict.CRASHED
        assert outcome.reason == ("ran longer than 0.1 s and was ended" if timeout < 1 else f"killed by {name}")
