"""The accounts that are watched. They come and go with the configuration; the others don't notice."""

import threading
from collections.abc import Callable

from watcher.config.accounts import Account
from watcher.inbox.lounge import Lounge, Party
from watcher.inbox.post import Reception
from watcher.inbox.pulse import Pulse, State
from watcher.inbox.steward import welcome

__all__ = ["Accounts"]


class Accounts:
    """Begins and ends the watching of accounts, and tells how they are. Safe to use from many threads."""

    def __init__(self, reception: Reception, lounge: Lounge, is_paused: Callable[[str], bool]) -> None:
        """`is_paused`: whether a person wants the account of this name left alone for now."""
        self.is_paused = is_paused
        self.reception = reception
        self.lounge = lounge
        self.lock = threading.Lock()
        self.watched: dict[str, tuple[Party, list[Pulse]]] = {}  #: by name

    def begin(self, account: Account) -> None:
        """Watch an account that is not watched so far."""
        party, pulses = Party(self.lounge), list[Pulse]()
        with self.lock:
            self.watched[account.name] = party, pulses
        if self.is_paused(account.name):
            pulses += [Pulse(account.name, folder, State.PAUSED, answered=True) for folder in account.folders]
            return
        welcome(account, self.reception, party, pulses)

    def end(self, name: str) -> None:
        """Let go of an account: its links are cut, and what they fetched but did not store comes again one day."""
        with self.lock:
            party, _ = self.watched.pop(name)
        self.lounge.dismiss(party)
        self.reception.access.forget(name)

    def pulses(self) -> list[Pulse]:
        """How each watched folder is, account by account."""
        with self.lock:
            return [pulse for _, pulses in self.watched.values() for pulse in list(pulses)]
