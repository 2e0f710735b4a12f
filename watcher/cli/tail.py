"""`imap-watcher tail`: what happens, as it happens."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import typer

from watcher.cli.completion import account_names, handler_names
from watcher.cli.settings import ask_daemon, find_daemon
from watcher.cli.terminal import complain, say
from watcher.config.settings import Config
from watcher.errors import WatcherError

__all__ = ["tail"]

PACE = 0.5  #: seconds between two questions


def tail(
    context: typer.Context,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=500, help="How many to show of the past.")] = 10,
    follow: Annotated[bool, typer.Option(help="Go on as more happens, until Ctrl-C.")] = True,
    account: Annotated[str | None, typer.Option(help="Only of this account.", autocompletion=account_names)] = None,
    handler: Annotated[str | None, typer.Option(help="Only of this handler.", autocompletion=handler_names)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """
    Show events as they come, until Ctrl-C.

    Mails, runs of handlers, connections lost and found.
    """
    config = find_daemon(context)
    wanted = {name: value for name, value in (("account", account), ("handler", handler)) if value}
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # also where another program reads it
    told = ask_daemon(config, {"verb": "events", "last": max(lines, 1)})
    with suppress(KeyboardInterrupt):
        for event in told["events"] if lines else ():
            _show(event, wanted, as_json=as_json)
        for event in _following(config, told["number"]) if follow else ():
            _show(event, wanted, as_json=as_json)


def _following(config: Config, seen: int) -> Iterator[dict[str, Any]]:
    """The events behind the number `seen`, as they come; also over a restart of the daemon, which counts anew."""
    pause, there = threading.Event(), True
    while not pause.wait(PACE):
        try:
            told = ask_daemon(config, {"verb": "events", **({"after": seen} if seen else {})})
        except WatcherError as error:
            if there:
                complain(f"{error}; waiting for it")
            there = False
            continue
        there = True
        if seen and told["events"] and (missed := told["events"][0]["number"] - seen - 1) > 0:
            complain(f"{missed} events are left out: they came faster than they were read")
        yield from told["events"]
        seen = told["number"]


def _show(event: dict[str, Any], wanted: dict[str, str], *, as_json: bool) -> None:
    if any(event.get(name) != value for name, value in wanted.items()):
        return
    if as_json:
        print(json.dumps(event))
    else:
        time = event["time"].replace("T", " ").split("+")[0]
        say(f"{time} {event['level']:<7} {event['message']}")
