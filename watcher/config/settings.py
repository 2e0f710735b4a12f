"""The settings of the daemon itself, and the whole configuration."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator
from pydantic.dataclasses import dataclass

from watcher.config.accounts import Account
from watcher.config.alerts import AlertSettings
from watcher.config.bounds import parse_limits
from watcher.config.handlers import HandlerSettings
from watcher.config.listening import ListeningPlace
from watcher.config.oauth.client import OAuthClient
from watcher.config.rules import Rule
from watcher.config.shape import STRICT, Count, FilePath, Name, not_empty
from watcher.config.smtp import Relay, SmtpSettings
from watcher.config.units import Duration, Size
from watcher.limits import USUAL, Limits

__all__ = ["Config", "Document", "WatcherSettings", "default_file"]


def default_file() -> Path:
    """The configuration file of this user."""
    if os.geteuid() == 0:
        return Path("/etc/imap-watcher/config.toml")
    return _home("XDG_CONFIG_HOME", ".config") / "config.toml"


def _default_state() -> Path:
    return Path("/var/lib/imap-watcher") if os.geteuid() == 0 else _home("XDG_STATE_HOME", ".local/state")


def _home(variable: str, usual: str) -> Path:
    # XDG Base Directory Specification: a relative path in a variable is to be ignored.
    given = Path(os.environ.get(variable, ""))
    return (given if given.is_absolute() else Path.home() / usual) / "imap-watcher"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class WatcherSettings:
    """The section `[watcher]`. Times in seconds, sizes in bytes."""

    state: FilePath = Field(default_factory=_default_state)  #: directory of ledger and spool
    handlers: FilePath = Field(default=Path("handlers"), validate_default=True)  #: directory of handler files
    socket: FilePath | None = None  #: of the control commands; control.sock in the state directory if none is given
    disk_floor: Size = 200 << 20  #: with less free space, receiving stops
    keep_done: Duration = 7 * 86400.0  #: how long handled mails stay in the spool
    keep_dead: Duration = 90 * 86400.0  #: how long dead letters do
    unpackers: Count = 2  #: processes that take mails apart
    runners: Count = 8  #: handler runs at once, all handlers together
    isolation: Literal["none", "sandbox"] = "none"  #: of handlers that say nothing of their own
    links: Count = 8  #: threads that serve the links to the servers
    stop_timeout: Duration = 20.0  #: time that running handlers get when the daemon is stopped
    metrics: ListeningPlace | None = None  #: where to serve /metrics, /healthz and /readyz; None: nowhere
    log: Literal["debug", "info", "warning", "error"] = "info"  #: least weight of what is logged

    def __post_init__(self) -> None:
        """Fills what follows from other fields."""
        object.__setattr__(self, "socket", self.socket or self.state / "control.sock")


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Document:
    """All that may stand in the file."""

    account: Annotated[Mapping[Name, Account], AfterValidator(not_empty)]
    rule: tuple[Rule, ...] = ()
    handler: Mapping[Name, HandlerSettings] = Field(default_factory=dict)
    oauth: Mapping[Name, OAuthClient] = Field(default_factory=dict)
    smtp: Mapping[Name, SmtpSettings] = Field(default_factory=dict)
    alerts: AlertSettings | None = None
    watcher: WatcherSettings
    limits: Annotated[Limits, PlainValidator(parse_limits)] = USUAL


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """A configuration that can be used."""

    accounts: tuple[Account, ...]
    rules: tuple[Rule, ...]
    handlers: Mapping[str, HandlerSettings]  #: of those that have a section; ask `handler`
    watcher: WatcherSettings
    path: Path  #: of the file it was read from
    limits: Limits = USUAL  #: of taking mails apart
    unnamed: HandlerSettings = dataclasses.field(default_factory=HandlerSettings)  #: of handlers without a section
    relays: Mapping[str, Relay] = dataclasses.field(default_factory=dict)  #: by name; each account has one
    alerts: AlertSettings | None = None  #: None: errors are only logged
    warnings: tuple[str, ...] = ()  #: one line each: file, line, key, what is doubtful

    def handler(self, name: str) -> HandlerSettings:
        """The settings of the handler `name`, whether it has a section or not."""
        return self.handlers.get(name) or self.unnamed
