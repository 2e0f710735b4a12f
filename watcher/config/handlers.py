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
            raise ValueError(f"{name!r} is not the name of a variable; allowed are letters, digits and '_'")
        if name.startswith("WATCHER_"):
            raise ValueError(f"{name} begins with WATCHER_, which is kept for the contract; take another name")
        if "\0" in value:
            raise ValueError(f"{name} holds a NUL, which no variable can")
    return values


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class HandlerSettings:
    """One `[handler.NAME]`; the defaults hold for a handler without one. Times in seconds, sizes in bytes."""

    #: Longest run; then it is killed with all its children, which counts as a crash.
    timeout: Duration = 120.0
    #: Runs before the mail becomes a dead letter.
    attempts: Count = 12
    #: Wait before the second attempt; it doubles with each one.
    backoff: Duration = 30.0
    #: Longest wait between two attempts.
    backoff_cap: Duration = 3600.0
    #: When the first attempt is older than this, no other is made.
    give_up_after: Duration = 48 * 3600.0
    #: What it reads on standard input: the raw mail, `message.json`, or nothing.
    stdin: Literal["mail", "json", "none"] = "mail"
    #: How many runs of this handler at once.
    concurrency: Count = 2
    #: Which mails wait for the earlier ones: none; those from the same address; all. See
    #: [Order](handlers.md#order-and-batches).
    order: Order = "parallel"
    #: A mail waits so long for others, and one run gets them all. See [Batches](handlers.md#order-and-batches). Not
    #: together with `order`.
    batch: Duration | None = None
    #: Mails of one run at most, with `batch`; so many do not wait.
    batch_size: Count = 100
    #: Memory for each of its processes.
    memory: Size = 1 << 30
    #: When it has printed more than this, it is killed.
    output: Size = 64 << 20
    #: Largest file it may write.
    file_size: Size = 1 << 30
    #: Processes that its user may have at once. The kernel counts all of that user, so leave room.
    #: Default: no limit.
    #: Allowed: 1 to 100000.
    processes: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    #: Environment variables for it, given as they are: `env = { COMPANY = "Example Ltd" }`. Names are letters, digits
    #: and `_`, and don't begin with `WATCHER_`. No place for secrets of others: each handler sees its own only.
    #: Allowed: a table of texts.
    env: Annotated[Mapping[str, str], AfterValidator(_environment)] = Field(default_factory=dict)

    #: How far it is kept from the rest of the machine; see [How handlers are kept
    #: apart](handlers.md#how-handlers-are-kept-apart).
    #: Default: as `[watcher]` says.
    isolation: Isolation | None = None
    #: Who it runs as, with `isolation = "user"`.
    #: Allowed: the name of a user.
    user: Text | None = None
    #: A sandbox leaves it the network.
    network: Annotated[bool, Strict()] = False
    #: Files and directories that a sandbox lets it read.
    readable: tuple[FilePath, ...] = ()
    #: Files and directories that a sandbox lets it read and write.
    writable: tuple[FilePath, ...] = ()
    #: Secrets for it, as files in `$WATCHER_SECRETS`: `secrets = { token = { file = "token" } }`. The places are those
    #: of [Passwords](#passwords), but for the secret itself.
    #: Allowed: a table: file name = place.
    secrets: HandlerSecrets = Field(default_factory=dict)
    #: SHA-256 of its file, as `sha256sum` prints it. With any other content its mail is held.
    #: Allowed: 64 hexadecimal digits.
    sha256: Digest | None = None

    #: A program of the machine with its arguments, in place of a file in the handlers folder: `["procmail", "-m",
    #: "/etc/mail.rc"]`. A whole path, or a name that is looked for in `PATH`. No shell sees it.
    #: Default: none.
    command: tuple[Text, ...] = ()
    #: An entry point of the group `imap_watcher.handlers` in place of a file. Not needed if it is called like the
    #: handler and no file is.
    #: Allowed: a name.
    entry_point: Text | None = None
    #: A webhook in place of a file: the mail is posted there.
    #: Allowed: `"https://…"`.
    url: WebhookUrl | None = None
    #: What a webhook is sent: the facts and texts of the mail, or all its files as well.
    format: Literal["json", "multipart"] = "json"
    #: Signs what a webhook is sent; `"whsec_"` and base64 of 24 to 64 bytes.
    #: Allowed: as a [password](#passwords).
    secret: SigningSecret | None = None
    #: Whether a webhook may be on this machine or in a private network, and without TLS.
    allow_private: Annotated[bool, Strict()] = False
    #: Proxy for a webhook to go through.
    #: Allowed: see [proxies](#proxies).
    proxy: ProxySetting | None = None
    #: PEM file of the authorities to trust for a webhook.
    #: Default: the system's.
    ca_file: FilePath | None = None

    #: Through whom its mail goes out.
    #: Default: that of the account.
    #: Allowed: the name of an `[smtp.NAME]` or an account.
    smtp: Text | None = None
    #: Whom it may send and forward to. Without it, it may only answer the mail it was given.
    #: Allowed: patterns.
    recipients: Addresses = ()
    #: Answers to the same address within 24 hours; what is beyond is not sent, since a machine may be answering us. In
    #: all, a handler answers 20 mails an hour, all together 100 a day.
    replies_per_sender: Count = 1
    #: Forwards and new mails within 24 hours; what is beyond is a dead letter in the outbox, since mail may be going
    #: round.
    #: Allowed: 1 to 1,000,000.
    mails_per_day: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 1000
    #: Addresses it may send from, beside the relay's own.
    send_as: tuple[MailAddress, ...] = ()

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
