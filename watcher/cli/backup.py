"""`imap-watcher backup` and `restore`: the state in one file, and back."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.settings import call, load_settings
from watcher.cli.terminal import progress, say
from watcher.config.settings import Config
from watcher.errors import WatcherError
from watcher.service.backup import back_up
from watcher.service.restoring import restore as restore_state
from watcher.store.lock import hold_state

__all__ = ["backup", "restore"]

MANY = 100  #: mails from which on the progress is shown


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The tar file to make; it must not be there yet.")],
    mails: Annotated[
        bool, typer.Option("--mails/--no-mails", help="With the mails that are kept, or only what is known of them.")
    ] = True,
) -> None:
    """
    Write what the daemon knows and keeps to one file.

    The ledger as of now, and the mails it names; the daemon goes on meanwhile. The file holds mail, so keep it as safe
    as the mailboxes. Not in it: the configuration, handlers and what they keep, and OAuth tokens. A backup without
    mails is enough never to handle a mail twice, but what is under way then is lost.
    """
    config = load_settings(context)
    state = config.watcher.state
    if not (state / "ledger.db").exists():
        raise WatcherError(f"no daemon has run yet with {config.path} (no ledger in {state})")
    with ExitStack() as meanwhile:
        if not runs(config):
            meanwhile.enter_context(hold_state(state))
        with back_up(state, file, mails=mails) as making, progress(making.keys, len(making.keys), worth=MANY) as keys:
            for key in keys:
                making.add(key)
    say(f"{file}: the ledger and {len(making.keys) - len(making.missing) if mails else 0} mails, {megabytes(file)}")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made by `backup`.", exists=True, dir_okay=False)],
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory to fill, empty or new; else the configuration's.")
    ] = None,
) -> None:
    """
    Fill an empty state directory from a backup.

    To be run as the user of the daemon, which then goes on from there: mails that came since are fetched, and those
    whose handlers ran since the backup are handled once more.
    """
    directory = (state or load_settings(context).watcher.state).absolute()
    with (
        restore_state(file, directory) as restoring,
        progress(restoring.mails(), restoring.about.mails, worth=MANY) as keys,
    ):
        for _ in keys:
            pass
    say(f"{directory}: the ledger and {len(restoring.digests)} mails")


def runs(config: Config) -> bool:
    """Whether a daemon runs."""
    try:
        call(config, {"verb": "status"})
    except ConnectionError:
        return False
    return True


def megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"
