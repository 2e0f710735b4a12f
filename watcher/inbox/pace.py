"""How soon the next look at a folder, or the next try to reach its server, after those that brought nothing."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from watcher.config.providers.causes import Cause
from watcher.errors import FolderRefused, MailboxLost, ServerUntrusted, WatcherError
from watcher.inbox.patience import Patience
from watcher.retry import doubled

__all__ = ["Pace", "Tries"]

QUICK = 5.0  #: seconds; looks further apart than this are no hurry
FREE = 3  #: hurried looks in vain that cost nothing: news may come in pieces
FIRST_WAIT = 0.1  #: seconds; doubles
LONGEST_WAIT = 10.0
GHOSTS = 3  #: times in a row that "too many connections" may mean those that we have lost and the server has not


class Pace:
    """Of looks, where the server keeps saying that there is news and there is none. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.last = -QUICK
        self.in_vain = 0

    def next(self, now: float, *, in_vain: bool) -> float:
        """When the next look may begin, after one that has just ended; `in_vain`: news was told, and there is none."""
        hurried = now - self.last < QUICK + self.wait()
        self.in_vain = self.in_vain + 1 if hurried and in_vain else 0
        self.last = now
        return now + self.wait()

    def wait(self) -> float:
        return 0.0 if self.in_vain <= FREE else doubled(FIRST_WAIT, self.in_vain - FREE - 1, LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Tries:
    """How the last links to a server have ended. The counts are of ends in a row. Pure."""

    patience: Patience
    losses: int = 0  #: of links, since a good one
    refusals: int = 0  #: of the folder or the certificate
    turned_away: int = 0  #: for having too many connections

    def after(self, error: WatcherError, lived: float | None = None, *, fruitful: bool = False) -> "Tries":
        """
        One more has ended with `error`. It `lived` so many seconds (None: it never stood); `fruitful`: and brought
        mail. That a login went well proves nothing: a server that drops us after it would be asked without end.
        """
        if isinstance(error, FolderRefused | ServerUntrusted):
            return replace(self, refusals=self.refusals + 1, turned_away=0)
        good = fruitful or (lived or 0.0) > self.patience.proven_life
        too_many = isinstance(error, MailboxLost) and error.cause == Cause.CONNECTIONS
        return Tries(
            self.patience,
            losses=1 if good else self.losses + 1,
            refusals=self.refusals if lived is None else 0,
            turned_away=self.turned_away + 1 if too_many else 0,
        )

    def wait(self, error: WatcherError, rnd: Callable[[], float] = random.random) -> float:
        """
        Seconds until the next one, after `error` was counted: not sooner than the server asks, and after a loss with
        full jitter, so that many links spread out.
        """
        asked = error.wait or 0.0
        match error:
            case FolderRefused():
                return max(asked, self.patience.refused[min(self.refusals, 2) - 1])
            case ServerUntrusted():
                return self.patience.untrusted[min(self.refusals, 2) - 1]
        first = self.patience.first_wait
        return max(asked, first / 2, doubled(first, self.losses - 1, self.patience.longest_wait) * rnd())

    @property
    def too_many(self) -> bool:
        """Whether the connections that the server has too many of must be living ones."""
        return self.turned_away >= GHOSTS
