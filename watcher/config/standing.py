"""The configuration in force."""

import threading
from collections import Counter
from collections.abc import Sequence

from watcher.config.accounts import Account
from watcher.config.handlers import HandlerSettings
from watcher.config.settings import Config
from watcher.config.smtp import Relay

__all__ = ["Standing"]


class Standing:
    """A reload puts another configuration in place of this one: whoever asks here each time sees it."""

    def __init__(self, config: Config) -> None:
        self.turn = threading.Lock()  #: held by who puts another in force, or holds what runs against this one
        self.put(config)
        self.refused: Sequence[str] = ()  #: what is wrong with the file since, one line each; it is not in force

    def put(self, config: Config) -> None:
        """From now on this one is in force."""
        self.config = config
        self._accounts = {account.name: account for account in config.accounts}
        self._users = Counter((account.host, account.user) for account in config.accounts)

    def account(self, name: str) -> Account | None:
        """The account `name`, if there is one still."""
        return self._accounts.get(name)

    def sharers(self, account: Account) -> int:
        """How many accounts log in as this one's user at its server, which counts their connections together."""
        return max(1, self._users[account.host, account.user])

    def relay(self, name: str) -> Relay | None:
        """The relay `name`: of that section, or of that account."""
        return self.config.relays.get(name)

    def addresses(self) -> frozenset[str]:
        """All addresses that mail is received at, or sent from, in lower case."""
        received = (account.address for account in self.config.accounts)
        sent = (relay.sender.address for relay in self.config.relays.values() if relay.sender)
        return frozenset(address.lower() for address in (*received, *sent))

    def handler(self, name: str) -> HandlerSettings:
        """The settings of the handler `name`, whether it has a section or not."""
        return self.config.handler(name)
