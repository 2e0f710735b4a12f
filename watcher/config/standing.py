"""The configuration in force."""

from collections.abc import Sequence

from watcher.config.accounts import Account
from watcher.config.handlers import HandlerSettings
from watcher.config.settings import Config

__all__ = ["Standing"]


class Standing:
    """A reload puts another configuration in place of this one: whoever asks here each time sees it."""

    def __init__(self, config: Config) -> None:
        self.put(config)
        self.refused: Sequence[str] = ()  #: what is wrong with the file since, one line each; it is not in force

    def put(self, config: Config) -> None:
        """From now on this one is in force."""
        self.config = config
        self._accounts = {account.name: account for account in config.accounts}

    def account(self, name: str) -> Account | None:
        """The account `name`, if there is one still."""
        return self._accounts.get(name)

    def handler(self, name: str) -> HandlerSettings:
        """The settings of the handler `name`, whether it has a section or not."""
        return self.config.handler(name)
