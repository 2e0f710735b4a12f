"""What servers want to be shown to the user (ALERT, RFC 3501 7.1): logged once, though they say it at every login."""

import logging
from collections import defaultdict, deque
from collections.abc import Iterable

from watcher.config.accounts import Account

__all__ = ["Alerts"]

log = logging.getLogger(__name__)

KNOWN = 8  #: alerts remembered of each account


class Alerts:
    """What each account has been told. Two threads may tell a thing twice at worst."""

    def __init__(self) -> None:
        self.told: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KNOWN))

    def show(self, account: Account, alerts: Iterable[str]) -> None:
        """Log what is new among the printable words of a server."""
        for text in alerts:
            if text not in self.told[account.name]:
                self.told[account.name].append(text)
                log.warning("%s: %s wants you to know: %s", account.name, account.host, text)
