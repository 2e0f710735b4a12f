"""`imap-watcher status`: how each watched folder is, from the running daemon."""

import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from watcher.cli.screen import screen
from watcher.cli.settings import ask_daemon, find_daemon
from watcher.cli.terminal import AsJson, say, show_json
from watcher.cli.wording import lines_of
from watcher.config.settings import Config
from watcher.errors import WatcherError
from watcher.printing import printable

__all__ = ["status"]

PACE = 1.0  #: seconds between two looks
LONGEST = 300  #: characters of a complaint


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="A live table, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Show how each watched folder is, and what work waits.

    Of each folder: its state, when its server last answered, when it was last looked through, how old its newest mail
    is.
    """
    config = find_daemon(context)
    if watch and not sys.stdout.isatty():
        raise typer.BadParameter("--watch needs a terminal; for scripts there is --json")
    told = ask_daemon(config, {"verb": "status"})
    if watch:
        with suppress(KeyboardInterrupt):
            follow(config, told)
    elif as_json:
        show_json(told)
    else:
        for line in lines_of(told):
            say(line)


def follow(config: Config, told: Mapping[str, Any]) -> None:
    """Show what is told again and again, also over a restart of the daemon, until Ctrl-C."""
    console, pause = Console(), threading.Event()
    with Live(screen(told, *console.size), console=console, screen=True, auto_refresh=False) as live:
        while not pause.wait(PACE):
            try:
                shown: Group | Text = screen(ask_daemon(config, {"verb": "status"}), *console.size)
            except WatcherError as error:
                shown = Text(printable(str(error), LONGEST), "red")
            live.update(shown, refresh=True)
