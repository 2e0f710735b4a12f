"""What the watcher of one folder has at hand."""

from collections.abc import Callable
from dataclasses import dataclass, field

from watcher.config.accounts import Account
from watcher.imap.link import Link
from watcher.inbox.door import Door
from watcher.inbox.patience import Patience
from watcher.inbox.pulse import Pulse
from watcher.store.folders import Folders
from watcher.store.spool import Spool

__all__ = ["Post", "Reception"]


@dataclass(frozen=True, slots=True)
class Reception:
    """What all watchers share of the house."""

    folders: Folders
    spool: Spool
    connect: Callable[[Account], Link]
    door: Callable[[Account], Door]  #: of the account's host
    held: Callable[[], str]  #: why nothing may be received until a person acts, in words; "" if it may
    full: Callable[[], bool]  #: the stages behind have enough to do for now
    arrived: Callable[[], None]  #: rung after each RECEIVE
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Post:
    """One folder to be watched."""

    account: Account
    pulse: Pulse
    reception: Reception

    def __str__(self) -> str:
        return f"{self.pulse.account}/{self.pulse.folder}"
