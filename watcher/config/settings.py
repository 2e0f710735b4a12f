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

    #: Directory of all that must survive: the ledger and the mails. Local disk, not a network share.
    #: Default: `/var/lib/imap-watcher` for root, else `$XDG_STATE_HOME/imap-watcher` (mostly
    #: `~/.local/state/imap-watcher`).
    state: FilePath = Field(default_factory=_default_state)
    #: Directory of the handler files; by default beside the configuration file.
    handlers: FilePath = Field(default=Path("handlers"), validate_default=True)
    #: Socket on which commands talk to the daemon.
    #: Default: `control.sock` in the state directory.
    socket: FilePath | None = None
    #: With less free space than this, no mail is fetched until there is more.
    disk_floor: Size = 200 << 20
    #: How long a handled mail stays in the state directory.
    keep_done: Duration = 7 * 86400.0
    #: How long a mail with a dead letter does.
    keep_dead: Duration = 90 * 86400.0
    #: Processes that take mails apart, at most; one more is started when a mail holds up others for two seconds.
    unpackers: Count = 2
    #: Handler runs at once, all handlers together. Each handler may have one run beyond that, so that hanging ones
    #: keep no other waiting.
    runners: Count = 8
    #: How far handlers are kept from the rest of the machine if their sections don't say.
    isolation: Literal["none", "sandbox"] = "none"
    #: Threads that serve the connections; quiet ones need none, so a few serve thousands of mailboxes.
    links: Count = 8
    #: Time that running handlers get when the daemon is stopped.
    stop_timeout: Duration = 20.0
    #: Where to serve `/metrics` (Prometheus), `/healthz` and `/readyz`: `"127.0.0.1:9187"`, `"[::1]:9187"` or
    #: `"/run/imap-watcher/metrics.sock"`.
    #: Allowed: a loopback address with a port, or a whole path.
    metrics: ListeningPlace | None = None
    #: The least weight of what is logged.
    log: Literal["debug", "info", "warning", "error"] = "info"

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

    def account(self, name: str) -> Account | None:
        """The account `name`, if there is one. Looks through all of them; `Standing` has a faster way."""
        return next((account for account in self.accounts if account.name == name), None)

    def handler(self, name: str) -> HandlerSettings:
        """The settings of the handler `name`, whether it has a section or not."""
        return self.handlers.get(name) or self.unnamed
