"""`imap-watcher login`: consent to the reading of a mailbox, in a browser here or on any other device."""

import os
import threading
import time
import webbrowser
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from watcher.cli.completion import account_names
from watcher.cli.settings import account_named, load_settings
from watcher.config.oauth import ManagedToken, ask_for_code, consent_in_browser, consent_on_device
from watcher.config.oauth.grant import Tokens
from watcher.config.settings import Config
from watcher.errors import WatcherError

__all__ = ["login", "token_of"]


def login(
    context: typer.Context,
    account: Annotated[
        str,
        typer.Argument(
            help="NAME of an account with `oauth`, or smtp.NAME of a relay.",
            metavar="ACCOUNT",
            autocompletion=account_names,
        ),
    ],
    device: Annotated[bool, typer.Option("--device", help="By a code to be entered on another device.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the browser comes back, for `ssh -L`; else any free one.")
    ] = 0,
) -> None:
    """Sign in to a mailbox with OAuth2. The running daemon takes up the new tokens by itself."""
    token = token_of(load_settings(context), account)
    token.accept(_by_device(token) if device else _by_browser(token, port))
    print(f"Done. The tokens of account {account} are in {token.file.path}; they are kept fresh from now on.")


def token_of(config: Config, name: str) -> ManagedToken:
    """The token that a login is for. Raises WatcherError."""
    relay = config.relays.get(name.removeprefix("smtp.")) if name.startswith("smtp.") else None
    if relay and not config.account(name) and isinstance(relay.source, ManagedToken):
        return relay.source
    account = account_named(config, name)
    if not isinstance(account.token, ManagedToken):
        proof = "a token from elsewhere" if account.token else "a password"
        raise WatcherError(f"account {name} logs in with {proof}; `login` is for those with `oauth`")
    return account.token


def _by_browser(token: ManagedToken, port: int) -> Tokens:
    def show(page: str) -> None:
        print(f"To let imap-watcher use {token.user}, open this page in a browser on this machine and agree:\n")
        print(f"{page}\n", flush=True)  # before what the browser may say
        if any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
            webbrowser.open(page)  # else it would take one that lives in this terminal
        print("Waiting for the browser to come back ...", flush=True)

    return consent_in_browser(token.client, token.user, show, port=port)


def _by_device(token: ManagedToken) -> Tokens:
    code = ask_for_code(token.client)
    print(f"To let imap-watcher use {token.user}, open {code.page} in any browser and enter the code\n")
    print(f"    {code.user_code}\n")
    if code.whole_page:
        print(f"or open {code.whole_page}, which holds it already.")
    console = Console()
    if not console.is_terminal:
        print(f"Waiting, {code.life / 60:.0f} minutes at most ...", flush=True)
        return consent_on_device(token.client, code, threading.Event().wait)
    with console.status("") as status:
        return consent_on_device(token.client, code, _counting(code.life, status.update))


def _counting(life: float, tell: Callable[[str], None]) -> Callable[[float], object]:
    """Waits, and tells each second how much time is left of `life` seconds from now."""
    end = time.monotonic() + life

    def pause(seconds: float) -> None:
        due, nobody = time.monotonic() + seconds, threading.Event()
        while (now := time.monotonic()) < due:
            left = max(0, round(end - now))
            tell(f"Waiting, {left // 60}:{left % 60:02} left")
            nobody.wait(min(1.0, due - now))

    return pause
