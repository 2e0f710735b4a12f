"""
`imap-watcher demo`: the real daemon on a mail server of its own, with two handlers and three mails.

    directory     a temporary directory: certificate, configuration, handlers
    server        a small IMAP server in memory, of the extra `demo`
    mails         the three mails that are sent
    show          what comes of them, on the terminal
    __main__      the demo's life, from the first line to the last

It runs in a process of its own (`python -m watcher.cli.demo`), so that no other command loads the server.
"""

import os
import sys
from importlib.util import find_spec
from typing import Annotated, NoReturn

import typer

__all__ = ["demo"]


def demo(
    *, stay: Annotated[bool, typer.Option("--stay", help="Keep everything open afterwards, until Ctrl-C.")] = False
) -> NoReturn:
    """
    Show it at work, on a mail server of its own.

    The real daemon, a server in memory, two handlers, three mails. Nothing of it stays.
    """
    if any(find_spec(name) is None for name in ("pymap", "cryptography")):
        sys.exit("imap-watcher: the demo brings a mail server of its own: pip install 'imap-watcher[demo]'")
    command = [sys.executable, "-P", "-m", "watcher.cli.demo", *(["--stay"] if stay else [])]
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 our own interpreter and module, no shell
