"""What several commands need: the configuration, and somebody who can answer for the state."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from watcher.config import find, load
from watcher.config.settings import Config
from watcher.errors import WatcherError
from watcher.service.control import ask
from watcher.service.counter import Counter
from watcher.store.database import Database
from watcher.store.desk import Desk
from watcher.store.lock import hold_state

__all__ = ["ask_daemon", "ask_state", "load_settings"]


def load_settings(context: typer.Context) -> Config:
    """The configuration that the command line names. Raises ConfigError."""
    given: Path | None = context.obj
    return load(find(given))


def ask_daemon(config: Config, request: Mapping[str, Any]) -> Any:
    """The answer of the running daemon. Raises WatcherError if none runs, or with its reason."""
    assert config.watcher.socket is not None
    try:
        return ask(config.watcher.socket, request)
    except PermissionError as error:
        raise WatcherError(f"{config.watcher.socket}: only the user of the daemon (or root) may ask it") from error
    except ConnectionError as error:
        raise WatcherError(f"no daemon runs with {config.path} (nobody answers on {config.watcher.socket})") from error
    except OSError as error:
        raise WatcherError(f"the daemon on {config.watcher.socket} does not answer: {error}") from error


def ask_state(config: Config, request: Mapping[str, Any]) -> Any:
    """The answer of the daemon or, if none runs, of the state itself, which is locked meanwhile."""
    assert config.watcher.socket is not None
    try:
        return ask(config.watcher.socket, request)
    except ConnectionError:
        if not (config.watcher.state / "ledger.db").exists():
            raise WatcherError(
                f"no daemon has run yet with {config.path} (no ledger in {config.watcher.state})"
            ) from None
        with hold_state(config.watcher.state):
            database = Database(config.watcher.state)
            try:
                return Counter(Desk(database), (), lambda: None)(request)
            finally:
                database.close()
