"""`imap-watcher pause` and `resume`: leave an account or a handler alone for a while."""

from typing import Annotated

import typer

from watcher.cli.completion import account_names, handler_names
from watcher.cli.settings import ask_daemon, load_settings
from watcher.cli.terminal import say

__all__ = ["pause", "resume"]


def _names(context: typer.Context, incomplete: str) -> list[str]:
    return [*account_names(context, incomplete), *handler_names(context, incomplete)]


Name = Annotated[str, typer.Argument(help="Of an account or a handler.", autocompletion=_names)]
OnlyAccount = Annotated[bool, typer.Option("--account", help="The account, if a handler has the same name.")]
OnlyHandler = Annotated[bool, typer.Option("--handler", help="The handler, if an account has the same name.")]


def pause(context: typer.Context, name: Name, account: OnlyAccount = False, handler: OnlyHandler = False) -> None:
    """
    Leave an account or a handler alone until `resume`.

    The account is neither watched nor changed; the handler's mail waits. This holds over restarts. Nothing is missed:
    an account catches up when it is resumed, and a handler gets what has come in the meantime.
    """
    _ask(context, "pause", name, account=account, handler=handler)


def resume(context: typer.Context, name: Name, account: OnlyAccount = False, handler: OnlyHandler = False) -> None:
    """End a pause."""
    _ask(context, "resume", name, account=account, handler=handler)


def _ask(context: typer.Context, verb: str, name: str, *, account: bool, handler: bool) -> None:
    if account and handler:
        raise typer.BadParameter("say one of --account and --handler")
    kind = {"kind": "account"} if account else {"kind": "handler"} if handler else {}
    told = ask_daemon(load_settings(context), {"verb": verb, "name": name, **kind})
    say(f"{told['kind']} {told['name']}: {'paused' if told['paused'] else 'goes on'}")
