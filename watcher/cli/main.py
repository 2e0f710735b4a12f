"""`imap-watcher`: puts the commands together, and turns errors into one line and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.cli.backup import backup, restore
from watcher.cli.check import check
from watcher.cli.conform import conform
from watcher.cli.demo import demo
from watcher.cli.doctor import doctor
from watcher.cli.erase import erase
from watcher.cli.handlers import handlers
from watcher.cli.init import init
from watcher.cli.jobs import jobs
from watcher.cli.login import login
from watcher.cli.man import man
from watcher.cli.new_handler import new_handler
from watcher.cli.outbox import outbox
from watcher.cli.pause import pause, resume
from watcher.cli.record import record
from watcher.cli.reload import reload
from watcher.cli.replay import replay
from watcher.cli.rules import rules
from watcher.cli.run import run
from watcher.cli.send import send
from watcher.cli.status import status
from watcher.cli.tail import tail
from watcher.cli.terminal import complain
from watcher.cli.trial import try_handler
from watcher.cli.unpack import unpack
from watcher.errors import ConfigError, DatabaseRefused, StateLocked, StorageFailed, WatcherError
from watcher.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    help="Keeps IMAP IDLE links open to many mailboxes and hands each new mail to handlers, once.",
    epilog="First steps: imap-watcher demo; then imap-watcher init ADDRESS. Without --config the file is "
    "/etc/imap-watcher/config.toml for root, else ~/.config/imap-watcher/config.toml.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
BEGIN: Sequence[Callable[..., None]] = (demo, init, check, doctor, login)
OPERATE: Sequence[Callable[..., None]] = (run, status, tail, reload, pause, resume, replay, erase, backup, restore)
AUTHOR: Sequence[Callable[..., None]] = (new_handler, try_handler, conform, record, unpack, send, man)
for command in (*BEGIN, *OPERATE, *AUTHOR):
    app.command("try" if command is try_handler else None)(command)
app.add_typer(jobs, name="jobs")
app.add_typer(outbox, name="outbox")
app.add_typer(rules, name="rules")
app.add_typer(handlers, name="handlers")


def show_version(wanted: bool) -> None:
    if wanted:
        print(f"imap-watcher {__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file.", metavar="FILE")] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = config


def main() -> None:
    """The entry point of the command. What any command writes is for its user only."""
    os.umask(0o077)
    try:
        app(prog_name="imap-watcher")
    except ConfigError as error:
        fail(exits.CONFIG, *error.problems)
    except DatabaseRefused as error:
        fail(exits.CONFIG, str(error))
    except StateLocked as error:
        fail(exits.STATE, str(error))
    except StorageFailed as error:
        fail(exits.STORAGE, str(error))
    except WatcherError as error:
        fail(exits.FAILED, str(error))


def fail(code: int, *lines: str) -> None:
    for line in lines:
        complain(line)
    sys.exit(code)
