"""`imap-watcher tail`: what happens, as it happens."""

import json
import sys
import threading
from contextlib import suppress
from typing import Annotated, Any

import typer

from watcher.cli.completion import account_names, handler_names
from watcher.cli.settings import ask_daemon, find_daemon
from watcher.cli.terminal import say

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
    """Show events as they come: mails, runs of handlers, links lost and found. Ends with Ctrl-C."""
    config = find_daemon(context)
    wanted = {name: value for name, value in (("account", account), ("handler", handler)) if value}
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # also where another program reads it
    with suppress(KeyboardInterrupt):
        told = ask_daemon(config, {"verb": "events", "last": max(lines, 1)})
        for event in told["events"] if lines else ():
            _show(event, wanted, as_json=as_json)
        pause = threading.Event()
        while follow and not pause.wait(PACE):
            told = ask_daemon(config, {"verb": "events", **({"after": told["number"]} if told["number"] else {})})
            for event in told["events"]:
                _show(event, wanted, as_json=as_json)


def _show(event: dict[str, Any], wanted: dict[str, str], *, as_json: bool) -> None:
    if any(event.get(name) != value for name, value in wanted.items()):
        return
    if as_json:
        print(json.dumps(event))
    else:
        time = event["time"].replace("T", " ").split("+")[0]
        say(f"{time} {event['level']:<7} {event['message']}")
