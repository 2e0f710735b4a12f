"""What several commands need: the configuration, and somebody who can answer for the state."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from watcher.config import Account, find, load, load_place
from watcher.config.settings import Config
from watcher.errors import WatcherError
from watcher.service.control import PATIENCE, ask
from watcher.service.counter import Counter, Verb
from watcher.service.erasing import Erasing
from watcher.store.database import Database
from watcher.store.desk import Desk
from watcher.store.erasure import Erasure
from watcher.store.lock import hold_state
from watcher.store.spool import Spool

__all__ = ["account_named", "ask_daemon", "ask_state", "call", "find_daemon", "load_settings"]


def load_settings(context: typer.Context) -> Config:
    """The configuration that the command line names. Raises ConfigError."""
    given: Path | None = context.obj
    return load(find(given))


def find_daemon(context: typer.Context) -> Config:
    """Of that configuration only where its daemon is: it can be asked while the rest is broken. Raises ConfigError."""
    given: Path | None = context.obj
    return load_place(find(given))


def account_named(config: Config, name: str) -> Account:
    """The account of this name. Raises WatcherError if there is none."""
    account = config.account(name)
    if account is None:
        known = ", ".join(each.name for each in config.accounts)
        raise WatcherError(f"there is no account {name} in {config.path}; known here: {known}")
    return account


def ask_daemon(config: Config, request: Mapping[str, Any]) -> Any:
    """The answer of the running daemon. Raises WatcherError if none runs, or with its reason."""
    try:
        return call(config, request)
    except ConnectionError as error:
        where = config.watcher.socket
        raise WatcherError(f"no daemon runs with {config.path} (nobody answers on {where})") from error


def ask_state(config: Config, request: Mapping[str, Any], patience: float = PATIENCE) -> Any:
    """
    The answer of the daemon, for which it gets `patience` seconds; or, if none runs, of the state itself, which is
    locked meanwhile.
    """
    try:
        return call(config, request, patience)
    except ConnectionError:
        if not os.access(config.watcher.state / "ledger.db", os.R_OK):
            raise WatcherError(
                f"no daemon has run yet with {config.path} (no ledger to be read in {config.watcher.state})"
            ) from None
        with hold_state(config.watcher.state):
            database = Database(config.watcher.state)
            try:
                erasing = Erasing(Erasure(database, alone=True), Spool(config.watcher.state))
                others: Mapping[str, Verb] = {"traces": erasing.find, "erase": erasing.erase}
                return Counter(Desk(database), lambda: None, others)(request)
            finally:
                database.close()


def call(config: Config, request: Mapping[str, Any], patience: float = PATIENCE) -> Any:
    """What a daemon answers. Raises ConnectionError if none runs, and WatcherError with any other reason."""
    assert config.watcher.socket is not None
    try:
        return ask(config.watcher.socket, request, patience)
    except ConnectionError:
        raise
    except PermissionError as error:
        raise WatcherError(f"{config.watcher.socket}: only the user of the daemon (or root) may ask it") from error
    except OSError as error:
        why = error.strerror or error
        raise WatcherError(f"the daemon on {config.watcher.socket} does not answer: {why}") from error
