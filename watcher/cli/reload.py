"""`imap-watcher reload`: take over changed files now, and say what came of it."""

import typer

from watcher.cli import exits
from watcher.cli.settings import ask_daemon, load_settings
from watcher.cli.terminal import AsJson, complain, say, show_json

__all__ = ["reload"]


def reload(context: typer.Context, as_json: AsJson = False) -> None:
    """
    Have the daemon take over changed files now.

    It does so by itself when the configuration or a handler changes. What is wrong stays out, and what was in force
    stays; then this ends with 78.
    """
    told = ask_daemon(load_settings(context), {"verb": "reload"})
    refused, handlers = told["configuration"]["refused"], told["handlers"]
    if as_json:
        show_json(told)
    else:
        for problem in refused:
            complain(problem)
        for name, trouble in handlers.items():
            complain(f"handler {name}: {trouble}")
        if not (refused or handlers):
            say(f"{told['configuration']['file']}: all is in force")
    if refused or handlers:
        raise typer.Exit(exits.CONFIG)
