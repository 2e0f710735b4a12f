"""What the watcher of one folder has at hand."""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from watcher.config.accounts import Account
from watcher.cursor import Arrival
from watcher.errors import Loss
from watcher.imap.outlines import Outline, Question
from watcher.inbox.access import Access
from watcher.inbox.alerts import Alerts
from watcher.inbox.caution import Caution
from watcher.inbox.door import Door
from watcher.inbox.lounge import Party
from watcher.inbox.patience import Patience
from watcher.inbox.pulse import Pulse
from watcher.store.folders import Folders
from watcher.store.paths import Paths
from watcher.store.spool import Spool

__all__ = ["Downstream", "Post", "Prefilter", "Reception"]


class Prefilter(Protocol):
    """What the rules say about mails that are only known from outside; see `rules.prefilter`."""

    def question(self, account: str, folder: str) -> Question | None:
        """What to ask of mails in this folder; None if they are to be fetched anyway."""

    def refuses(self, outline: Outline, account: str, folder: str, now: float) -> bool:
        """Whether surely no rule is for this mail."""

    def doubts(self, outline: Outline, account: str, folder: str, now: float) -> bool:
        """Whether a closer look at its parts is worth it."""


class Downstream(Protocol):
    """The stages behind the inbox."""

    def room(self) -> int:
        """Bytes that mails may still take."""

    def full(self) -> bool:
        """Whether they have enough to do for now."""

    def in_order(self) -> bool:
        """Whether no mail may pass an earlier one."""

    def storing(self, mail: Arrival) -> None:
        """A mail is about to be made durable and entered."""

    def dropping(self, key: str) -> None:
        """The folder of such a mail is removed after all, once this returns."""

    def arriving(self) -> None:
        """Mails are about to be entered."""

    def arrived(self) -> None:
        """Mails were entered."""


@dataclass(frozen=True, slots=True)
class Reception:
    """What all watchers share of the house."""

    folders: Folders
    spool: Spool
    access: Access
    door: Callable[[Account], Door]  #: of the account's host
    paths: Paths
    downstream: Downstream
    alerts: Alerts = field(default_factory=Alerts)
    patience: Patience = field(default_factory=Patience)
    prefilter: Prefilter | None = None  #: None: every mail is fetched
    sharers: Callable[[Account], int] = lambda _: 1  #: accounts of the same user at the same server, itself included


@dataclass(frozen=True, slots=True)
class Post:
    """One folder to be watched."""

    account: Account
    pulse: Pulse
    reception: Reception
    party: Party  #: of the account's guests: once that is dismissed, what becomes of the link is no trouble
    caution: Caution = field(default_factory=Caution)

    def __str__(self) -> str:
        return f"{self.pulse.account}/{self.pulse.folder}"

    @property
    def log_fields(self) -> Mapping[str, object]:
        """What a log line about it can be searched by."""
        return {"account": self.pulse.account, "folder": self.pulse.folder}

    def next_probe(self) -> float:
        """When to look at the folder over a fresh link (monotonic seconds); never where logins are scarce."""
        if self.account.profile.scarce:
            return math.inf
        return time.monotonic() + self.reception.patience.probe * random.uniform(0.5, 1.5)

    # --- how long the path lets a link be silent --------------------------------------------------------------------

    def renewal(self) -> float:
        """Seconds after which IDLE is to be renewed."""
        return min(self.reception.paths.renewal(self.account.path).interval, self.account.renew)

    def died(self, how: Loss, silence: float) -> None:
        """A link was lost in IDLE after so many seconds of silence."""
        known = self.reception.paths.renewal(self.account.path)
        if how is Loss.CUT:
            known = known.cut(silence, time.time())
        elif how is Loss.SILENT:
            known = known.lost(silence, time.time())
        self.reception.paths.learn(self.account.path, known)

    def survived(self) -> None:
        """A renewal was answered."""
        known = self.reception.paths.renewal(self.account.path)
        self.reception.paths.learn(self.account.path, known.survived(time.time(), self.account.renew))
