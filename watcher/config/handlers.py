"""The settings of handlers, and where their files are."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, Strict
from pydantic.dataclasses import dataclass

from watcher.config.isolation import Digest, HandlerSecrets, Isolation
from watcher.config.patterns import Pattern, parse_pattern
from watcher.config.proxies import ProxySetting
from watcher.config.shape import STRICT, Count, FilePath, MailAddress, Text, alternatives
from watcher.config.units import Duration, Size
from watcher.config.webhooks import SigningSecret, WebhookUrl, check_reach
from watcher.errors import HandlerMissing
from watcher.retry import RetryPolicy

__all__ = ["HandlerSettings", "find_handler"]

Order = Literal["parallel", "per-sender", "serial"]
#: Globs for addresses.
Addresses = tuple[Annotated[Pattern, PlainValidator(parse_pattern)], ...]


def _environment(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is no name of a variable; allowed are letters, digits and '_'")
        if name.startswith("WATCHER_"):
            raise ValueError(f"{name} begins with WATCHER_, which is kept for the contract; take another name")
        if "\0" in value:
            raise ValueError(f"{name} holds a NUL, which no variable can")
    return values


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class HandlerSettings:
    """One `[handler.NAME]`; the defaults hold for a handler without one. Times in seconds, sizes in bytes."""

    timeout: Duration = 120.0  #: longest run; then it is killed
    attempts: Count = 12  #: runs before its mail becomes a dead letter
    backoff: Duration = 30.0  #: wait before the second attempt; doubles each time
    backoff_cap: Duration = 3600.0  #: longest wait between two attempts
    give_up_after: Duration = 48 * 3600.0  #: age of the first attempt at which no other is made
    stdin: Literal["mail", "json", "none"] = "mail"  #: the raw mail, message.json or nothing
    concurrency: Count = 2  #: runs of this handler at once
    order: Order = "parallel"  #: which mails wait for the earlier ones: none, those of one sender, all
    batch: Duration | None = None  #: a mail waits so long for others of the same run; None: it has a run of its own
    batch_size: Count = 100  #: mails of one run at most, if `batch` is given
    memory: Size = 1 << 30  #: of each of its processes
    output: Size = 64 << 20  #: printed more than this, it is killed
    file_size: Size = 1 << 30  #: of any file it writes
    processes: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = (
        None  #: of its user at once; None: no limit
    )
    env: Annotated[Mapping[str, str], AfterValidator(_environment)] = Field(
        default_factory=dict
    )  #: given to it as it is

    isolation: Isolation | None = None  #: None: as `[watcher]` says
    user: Text | None = None  #: who it runs as, if isolation = "user"
    network: Annotated[bool, Strict()] = False  #: a sandbox leaves it the network
    readable: tuple[FilePath, ...] = ()  #: files and directories that a sandbox lets it read
    writable: tuple[FilePath, ...] = ()  #: and those where it may write
    secrets: HandlerSecrets = Field(default_factory=dict)  #: given to it as files
    sha256: Digest | None = None  #: of its file; any other is not run

    command: tuple[Text, ...] = ()  #: a program of the machine and its arguments, in place of a file
    entry_point: Text | None = None  #: name of an installed one, in place of a file; see `entries`
    url: WebhookUrl | None = None  #: of a webhook, in place of a file
    format: Literal["json", "multipart"] = "json"  #: what a webhook is sent: the facts, or all files as well
    secret: SigningSecret | None = None  #: signs what a webhook is sent (Standard Webhooks)
    allow_private: Annotated[bool, Strict()] = False  #: a webhook may be in our own network, and without TLS
    proxy: ProxySetting | None = None  #: for a webhook to go through
    ca_file: FilePath | None = None  #: PEM of the authorities to trust for a webhook, in place of the system's

    smtp: Text | None = None  #: relay of its mail, as in `[smtp.NAME]`; that of the account if none is given
    recipients: Addresses = ()  #: whom it may send to beside answering the mail
    replies_per_sender: Count = 1  #: answers to the same address within a day, against loops
    mails_per_day: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 1000  #: other mails of it, against loops
    send_as: tuple[MailAddress, ...] = ()  #: other addresses that it may send from

    def __post_init__(self) -> None:
        """Refuses what can't be meant together."""
        if self.batch is not None and self.order != "parallel":
            raise ValueError("has batch and order, which exclude each other; leave one out")
        if self.batch is not None and self.url:
            raise ValueError("has batch and url; a webhook is sent one mail at a time")
        given = [key for key in ("command", "entry_point", "url") if getattr(self, key)]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; allowed is one of them")
        if self.url and not self.allow_private:
            check_reach(self.url)
        if self.url and self.proxy:
            self.proxy.towards(urlsplit(self.url).hostname or "")  # raises ValueError now and not at each run
        if (self.isolation == "user") != bool(self.user):
            raise ValueError('has one of isolation = "user" and user = "NAME" without the other')
        if self.isolation == "user" and (self.readable or self.writable):
            raise ValueError("has readable or writable, which are for a sandbox; give its user rights by chmod")

    def under(self, isolation: Isolation) -> "HandlerSettings":
        """The same, kept apart as `isolation` says if these say nothing of it."""
        return self if self.isolation or isolation == "none" else replace(self, isolation=isolation)

    @property
    def retry_policy(self) -> RetryPolicy:
        """When a failed run is tried again."""
        return RetryPolicy(self.attempts, self.backoff, self.backoff_cap, self.give_up_after)


#: Ends of names that editors and package tools leave behind.
_LEFTOVERS = ("~", ".bak", ".orig", ".rej", ".swp", ".tmp", ".pyc", ".rpmnew", ".rpmsave", ".dpkg-old", ".dpkg-new")


def find_handler(folder: Path, name: str) -> Path:
    """
    The file of the handler `name`: NAME or NAME.* in `folder`, hidden and backup files left aside.

    Raises HandlerMissing if there is none, or more than one.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and _is_handler(path.name))
    except OSError as error:
        raise HandlerMissing(f"there is no handler {name}: {folder} can't be read: {error.strerror}") from error
    found = [path for path in files if path.name == name or path.name.startswith(name + ".")]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise HandlerMissing(
            f"the handler {name} could be each of {names} in {folder}; keep one of them there", several=True
        )
    if not found:
        known = sorted({path.name.split(".", 1)[0] for path in files})
        hint = alternatives(name, known) if known else "no handlers are there yet"
        raise HandlerMissing(f"there is no handler {name} in {folder}; {hint}")
    return found[0]


def _is_handler(file: str) -> bool:
    return not file.startswith((".", "#")) and not file.endswith(_LEFTOVERS)
