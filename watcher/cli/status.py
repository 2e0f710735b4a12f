"""`imap-watcher status`: how each watched folder is, from the running daemon."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from watcher.cli.settings import ask_daemon, find_daemon
from watcher.cli.terminal import say
from watcher.config.settings import Config
from watcher.imap.signals import printable

__all__ = ["status"]

PACE = 1.0  #: seconds between two looks
#: Styles of states; those with one come first, worst on top.
STYLES = {"refused": "bold red", "waiting": "red", "connecting": "yellow", "held": "yellow", "paused": "blue"}
NAME = 30  #: characters of a folder's name that are shown in any case
FRAME = 8  #: lines of the screen that are no folders


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="A live table, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show each watched folder: its state, when the server last answered, and what work waits."""
    config = find_daemon(context)
    if watch and not sys.stdout.isatty():
        raise typer.BadParameter("--watch needs a terminal; for scripts there is --json")
    told = ask_daemon(config, {"verb": "status"})
    if watch:
        with suppress(KeyboardInterrupt):
            follow(config, told)
    elif as_json:
        print(json.dumps(told, indent=2))
    else:
        for line in lines_of(told):
            say(line)


def follow(config: Config, told: Mapping[str, Any]) -> None:
    """Show what is told again and again, until Ctrl-C."""
    console, pause = Console(), threading.Event()
    with Live(screen(told, console.height), console=console, screen=True, auto_refresh=False) as live:
        while not pause.wait(PACE):
            live.update(screen(ask_daemon(config, {"verb": "status"}), console.height), refresh=True)


def lines_of(told: Mapping[str, Any]) -> Sequence[str]:
    """All of it, a line each."""
    lines = [_line(folder) for folder in told["folders"]]
    lines += [_canary(song) for song in told.get("canaries", ()) if not song["missing"]]
    lines += [f"{kind}: {_counts(states)}" for kind, states in told["work"].items()]
    return [*lines, *_troubles(told)]


def _troubles(told: Mapping[str, Any]) -> Iterator[str]:
    """What concerns more than one folder."""
    if told.get("ledger"):
        yield f"the ledger can't be written, all waits: {told['ledger']}"
    yield from (f"not in force: {problem}" for problem in told.get("configuration", {}).get("refused", ()))
    yield from (_canary(song) for song in told.get("canaries", ()) if song["missing"])
    yield from (f"handler {name}: {trouble}" for name, trouble in _handlers(told).items())


def _handlers(told: Mapping[str, Any]) -> Mapping[str, str]:
    """Those that are not as they should be, and why."""
    paused = {name: f"paused; `imap-watcher resume {name}` ends it" for name in told.get("paused", ())}
    return {**told.get("handlers", {}), **paused}


def _line(folder: Mapping[str, Any]) -> str:
    trouble = f"  {folder['trouble']}" if folder["trouble"] else ""
    silent = f", NOT WATCHED: {folder['silence']}" if folder.get("silence") else ""
    facts = ", ".join(filter(None, (folder["state"], _heard(folder), _looked(folder), _mails(folder), _newest(folder))))
    return f"{_name(folder)}: {facts}{silent}{trouble}"


def screen(told: Mapping[str, Any], height: int) -> Group:
    """What fits a screen: troubles first, then those that had mail; the rest is counted."""
    folders = sorted(told["folders"], key=_weight)
    troubles = [Text(printable(line, 300), "red") for line in _troubles(told)]
    if len(troubles) > (most := max(1, height // 3)):
        troubles[most - 1 :] = [Text(f"and {len(troubles) - most + 1} more; see imap-watcher status", "red")]
    room = max(3, height - FRAME - len(told["work"]) - len(troubles))
    shown, rest = (folders, ()) if len(folders) <= room else (folders[: room - 1], folders[room - 1 :])
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("folder", no_wrap=True, min_width=min(NAME, max((len(_name(one)) for one in shown), default=0)))
    for name in ("state", "heard", "mails", "newest"):
        table.add_column(name, no_wrap=True, justify="left" if name == "state" else "right")
    table.add_column("trouble", no_wrap=True, ratio=1)
    for folder in shown:
        table.add_row(*_cells(folder))
    states = Counter(folder["state"] for folder in rest)
    more = [Text(f"and {len(rest)} more: {_counts(states)}", "dim")] if rest else []
    head = Text(f"{len(folders)} folders: {_counts(Counter(folder['state'] for folder in folders))}", "bold")
    work = [Text(f"{kind}: {_counts(states)}") for kind, states in told["work"].items()]
    return Group(head, "", *troubles, table, *more, "", *work, Text("Ctrl-C ends this", "dim"))


def _cells(folder: Mapping[str, Any]) -> Sequence[Text]:
    """One row of the table; of an age it needs the figure alone."""
    heard, newest = folder["age"]["heard"], folder.get("newest")
    return (
        Text(printable(_name(folder), 100)),
        Text(folder["state"], STYLES.get(folder["state"], "green")),
        Text("never" if heard is None else _time(heard)),
        Text(f"{folder['mails']}" + (f"+{folder['left_out']}" if folder["left_out"] else "")),
        Text(_time(newest["age"]) if newest else ""),
        Text(printable(folder.get("silence") or folder["trouble"], 300)),
    )


def _canary(song: Mapping[str, Any]) -> str:
    """One account whose canaries fly."""
    came = "has not come in yet"
    if song["age"] is not None:
        came = f"came in {_time(song['age'])} ago, after {_time(song['took'])}"
    missing = f"; MISSING: {song['missing']}" if song["missing"] else ""
    return f"{song['account']}: the canary {came}{missing}"


def _weight(folder: Mapping[str, Any]) -> tuple[int, int]:
    order = list(STYLES)
    calm = -1 if folder.get("silence") else len(order)
    return order.index(folder["state"]) if folder["state"] in order else calm, -folder["mails"]


def _name(folder: Mapping[str, Any]) -> str:
    return f"{folder['account']}/{folder['folder']}"


def _heard(folder: Mapping[str, Any]) -> str:
    age = folder["age"]["heard"]
    return "never heard" if age is None else f"heard {_time(age)} ago"


def _looked(folder: Mapping[str, Any]) -> str:
    age = folder["age"]["scanned"]
    return "" if age is None else f"looked through {_time(age)} ago"


def _newest(folder: Mapping[str, Any]) -> str:
    newest = folder.get("newest")
    if newest is None:
        return ""
    handled = "" if newest["lag"] is None else f", handled within {_time(newest['lag'])}"
    return f"the newest {_time(newest['age'])} old{handled}"


def _time(seconds: float) -> str:
    """As a person says it: two figures are enough."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"


def _mails(folder: Mapping[str, Any]) -> str:
    left = folder["left_out"]
    return f"{folder['mails']} mails" + (f", {left} left out" if left else "")


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
