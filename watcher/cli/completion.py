"""What the shell offers when Tab is pressed. It never fails: a configuration that can't be read offers nothing."""

from pathlib import Path

import typer

from watcher.cli.workshop import Workshop
from watcher.config import Config, find, load
from watcher.errors import WatcherError

__all__ = ["account_names", "handler_names"]


def account_names(context: typer.Context, incomplete: str) -> list[str]:
    """Accounts of the configuration."""
    config = _workshop(context).config
    names = [account.name for account in config.accounts] if config else []
    return [name for name in names if name.startswith(incomplete)]


def handler_names(context: typer.Context, incomplete: str) -> list[str]:
    """Handlers in their folder."""
    try:
        files = [path for path in _workshop(context).handlers.iterdir() if path.is_file()]
    except OSError:
        return []
    names = {path.name.split(".", 1)[0] for path in files}
    return sorted(name for name in names if name and name.startswith(incomplete))


def _workshop(context: typer.Context) -> Workshop:
    """As the line says that is being typed. Nothing of it has been run, so `obj` is not set yet."""
    given = context.find_root().params.get("config")
    path = find(Path(given) if given else None)
    return Workshop(path, _config(path))


def _config(path: Path) -> Config | None:
    try:
        return load(path)
    except WatcherError:
        return None
