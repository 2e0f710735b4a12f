"""`imap-watcher`: what all commands have in common, and errors turned into one line and an exit code."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.cli.interruption import clearing_up
from watcher.cli.shelf import Commands
from watcher.cli.terminal import complain, hush, writing
from watcher.errors import ConfigError, DatabaseRefused, SpoolFull, StateLocked, StorageFailed, WatcherError
from watcher.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    cls=Commands,
    help="Keeps IMAP IDLE links open to many mailboxes and hands each new mail to handlers, once.",
    epilog="First steps: imap-watcher demo; then imap-watcher init ADDRESS. Without --config the file is "
    "/etc/imap-watcher/config.toml for root, else ~/.config/imap-watcher/config.toml.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    with clearing_up():
        try:
            carry_out()
        finally:
            hush()


def carry_out() -> None:
    """What the command line wants. What an operator can mend is told in one line."""
    try:
        with writing():
            app(prog_name="imap-watcher")
    except ConfigError as error:
        fail(exits.CONFIG, *error.problems)
    except DatabaseRefused as error:
        fail(exits.CONFIG, str(error))
    except StateLocked as error:
        fail(exits.STATE, str(error))
    except (StorageFailed, SpoolFull) as error:
        fail(exits.STORAGE, str(error))
    except WatcherError as error:
        fail(exits.FAILED, str(error))


def fail(code: int, *lines: str) -> None:
    for line in lines:
        complain(line)
    sys.exit(code)
