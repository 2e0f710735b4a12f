"""What `status` shows of a thousand accounts, on a terminal of the usual size."""

import pytest
from rich.console import Console

from watcher.cli.status import lines_of, screen


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
        console.print(screen(told(*quiet, *bad), 24))
    lines = shown.get().splitlines()
    assert len(lines) <= 24
    assert lines[0].startswith("998 folders: 996 live, 1 refused, 1 waiting")
    rows = [line.split() for line in lines if line.startswith("customer-")]
    assert [row[0] for row in rows[:3]] == ["customer-0997/INBOX", "customer-0996/INBOX", "customer-0995/INBOX"]
    assert rows[1][1:] == ["refused", "47", "s", "996", "2", "h", "wrong", "password"]
    assert [line for line in lines if line.startswith("and ")] == [
        f"and {998 - len(rows)} more: {998 - len(rows)} live"
    ]
    assert "\x1b" not in shown.get()


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
    assert screen(told(older), 24)
