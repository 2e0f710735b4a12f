"""What `status` shows of a thousand accounts, on a terminal of the usual size."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.fakes.terminal import Terminal
from watcher.cli.screen import screen
from watcher.cli.wording import lines_of
from watcher.service.control import Control


def folder(number: int, state: str = "live", **other):
    return {
        "account": f"customer-{number:04}",
        "folder": "INBOX",
        "state": state,
        "trouble": "",
        "mails": number,
        "left_out": 0,
        "age": {"connected": 1.0, "heard": 47.0, "scanned": 1500.0},
        "silence": "",
        "newest": {"age": 7200.0, "lag": 0.4},
        **other,
    }


def told(*folders):
    return {
        "folders": list(folders),
        "work": {"job": {"done": 5}},
        "configuration": {"file": "config.toml", "refused": ["config.toml:4: account.x: is unknown"]},
        "handlers": {"book": "\x1b[2Jno backend"},
    }


@pytest.mark.parametrize("width", [80, 200])
def test_a_thousand_accounts_fit_a_screen_with_troubles_on_top(width):
    quiet = [folder(number) for number in range(995)]
    bad = [
        folder(995, "waiting", trouble="cut off"),
        folder(996, "refused", trouble="wrong password"),
        folder(997, "live", silence="it has not been looked through for 100 minutes"),
    ]
    console = Console(width=width, height=24, record=True, force_terminal=False)
    with console.capture() as shown:
        console.print(screen(told(*quiet, *bad), width, 24))
    lines = shown.get().splitlines()
    assert len(lines) <= 24
    assert lines[0].startswith("998 folders: 996 live, 1 refused, 1 waiting")
    rows = [line.split() for line in lines if line.startswith("customer-")]
    below = [line.strip() for line in lines if line.startswith("    ")]
    assert [row[0] for row in rows[:3]] == ["customer-0997/INBOX", "customer-0996/INBOX", "customer-0995/INBOX"]
    beside = ["wrong", "password"] if width >= 120 else []
    assert rows[1][1:] == ["refused", "47", "s", "996", "2", "h", *beside]
    assert bool(beside) or below == ["it has not been looked through for 100 minutes", "wrong password", "cut off"]
    assert [line for line in lines if line.startswith("and ")] == [
        f"and {998 - len(rows)} more: {998 - len(rows)} live"
    ]
    assert "\x1b" not in shown.get()


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (132, 43), (40, 12), (20, 5), (300, 90), (80, 1)])
def test_it_fits_every_terminal(width, height, count):
    states = ["live", "refused", "waiting", "paused", "catching up"]
    long = "words of a server " * 40 + "\x1b[2J\n发票" * 20
    all_of_it = told(*(folder(n, states[n % 5], trouble=long * (n % 5 in {1, 2})) for n in range(count)))
    all_of_it["folders"] = [{**one, "folder": "订单/2026年"} for one in all_of_it["folders"]]
    all_of_it["configuration"]["refused"] *= 30
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as shown:
        console.print(screen(all_of_it, width, height))
    lines = shown.get().splitlines()
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width
    assert "\x1b" not in shown.get()
    if count and height >= 24:
        assert sum("customer-" in line for line in lines) >= min(count, 3)


def test_a_line_for_each_folder_tells_all_that_is_known():
    silent = folder(7, "waiting", trouble="cut off", silence="its server has not answered for 19 minutes", newest=None)
    first, second, *_ = lines_of(told(folder(1, left_out=2), silent))
    assert first == (
        "customer-0001/INBOX: live, heard 47 s ago, looked through 25 min ago, 1 mails, 2 left out, "
        "the newest 2 h old, handled within 0.4 s"
    )
    assert "NOT WATCHED: its server has not answered for 19 minutes" in second


def test_an_older_daemon_is_shown_as_far_as_it_tells():
    older = {name: value for name, value in folder(1).items() if name not in {"silence", "newest"}}
    assert lines_of(told(older))[0].endswith("1 mails")
    assert screen(told(older), 80, 24)


@contextmanager
def daemon(state: Path, *, first: int = 1, events: int = 3) -> Iterator[None]:
    """Something that answers as a daemon does."""

    def answer(request: dict) -> object:
        if request["verb"] == "status":
            return told(folder(1))
        after = request.get("after") or 0
        kept = range(first, first + events)
        news = [number for number in kept if number > after or kept[-1] < after]
        rows = [
            {"number": n, "time": "2026-11-21T10:00:00+00:00", "level": "info", "message": f"event {n}"} for n in news
        ]
        return {"number": kept[-1], "events": rows}

    control = Control(state / "control.sock", answer, lambda error: None)
    try:
        yield
    finally:
        control.close()


@pytest.fixture
def command(tmp_path):
    config = tmp_path / "config.toml"
    config.touch(mode=0o600)
    config.write_text(f"[watcher]\nstate = '{tmp_path}'\n")
    return [sys.executable, "-m", "watcher", "--config", str(config)]


def test_the_table_outlives_a_restart_of_the_daemon(tmp_path, command):
    with daemon(tmp_path):
        terminal = Terminal([*command, "status", "--watch"], COLUMNS="80", LINES="24")
        terminal.until("customer-0001/INBOX")
    with terminal:
        terminal.until("no daemon runs")
        with daemon(tmp_path):
            terminal.until("customer-0001/INBOX")
            assert terminal.interrupted() == 0


def test_tail_outlives_a_restart_and_tells_what_it_has_missed(tmp_path, command):
    with daemon(tmp_path):
        terminal = Terminal([*command, "tail"])
        terminal.until("event 3")
    with terminal:
        terminal.until("waiting for it")
        with daemon(tmp_path, first=10):
            terminal.until("6 events are left out")
            terminal.until("event 12")
        with daemon(tmp_path, events=2):
            terminal.until("event 1")
            assert terminal.interrupted() == 0
