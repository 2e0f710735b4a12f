"""`imap-watcher status`: how each watched folder is, from the running daemon."""

import json
from typing import Annotated

import typer

from watcher.cli.settings import ask_daemon, load_settings
from watcher.cli.terminal import say

__all__ = ["status"]


def status(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Show each watched folder: its state, when the server last answered, and what work waits."""
    told = ask_daemon(load_settings(context), {"verb": "status"})
    if as_json:
        print(json.dumps(told, indent=2))
        return
    for folder in told["folders"]:
        heard = folder["age"]["heard"]
        last = "never heard" if heard is None else f"heard {heard:.0f} s ago"
        trouble = f"  {folder['trouble']}" if folder["trouble"] else ""
        mails = f"{folder['mails']} mails" + (f", {left} left out" if (left := folder["left_out"]) else "")
        say(f"{folder['account']}/{folder['folder']}: {folder['state']}, {last}, {mails}{trouble}")
    for kind, states in told["work"].items():
        say(f"{kind}: " + ", ".join(f"{number} {state}" for state, number in sorted(states.items())))
