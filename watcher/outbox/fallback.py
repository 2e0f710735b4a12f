"""
Where alerts go when mail itself fails: what the relay has not taken after a while is told by another channel.

Once it is told there, its mail is not sent any more, so that nobody is told of old trouble twice; and a restart knows.
"""

import threading
from collections import deque
from collections.abc import Callable
from email import message_from_bytes
from email.policy import SMTP

from watcher.config.alerts import AlertSettings
from watcher.config.secret import SecretSource
from watcher.errors import WatcherError
from watcher.outbox.alarm import ALERT, log
from watcher.outbox.chat import tell
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

__all__ = ["Fallback"]

PATIENCE = 120.0  #: seconds that a relay has for an alert
MOST = 20  #: words kept that are no mail
AGAIN = 300.0  #: seconds until the channel is tried once more
TOLD = "told by the fallback of [alerts] in its place"


class Fallback:
    """`flush_due` is called from time to time, and never waits: a channel is spoken to in a thread of its own."""

    def __init__(self, settings: Callable[[], AlertSettings | None], spool: Spool, outgoing: Outgoing) -> None:
        self.settings = settings
        self.spool = spool
        self.outgoing = outgoing
        self.homeless: deque[tuple[str, str]] = deque(maxlen=MOST)
        self.told_at = 0.0  #: last time that anything was begun to be told
        self.thread: threading.Thread | None = None

    def add(self, title: str, text: str) -> None:
        """Words that could not even become a mail."""
        self.homeless.append((title, text))

    def flush_due(self, now: float) -> None:
        """Begin to tell what is stuck, if there is anything and nothing is being told."""
        settings = self.settings()
        if settings is None or settings.fallback is None or (self.thread and self.thread.is_alive()):
            return
        if 0 <= now - self.told_at < AGAIN:
            return
        stuck = self.outgoing.stuck(ALERT, now - PATIENCE, now)
        if stuck or self.homeless:
            self.told_at = now
            self.thread = threading.Thread(
                target=self.tell, args=(settings.fallback, stuck, now), name="fallback", daemon=True
            )
            self.thread.start()

    def tell(self, channel: SecretSource, stuck: list[str], now: float) -> None:
        """All there is, and the alerts of these keys. What goes wrong is only logged: there is nobody left to tell."""
        try:
            while self.homeless:
                tell(channel.fetch(), *self.homeless[0])
                self.homeless.popleft()
            for key in stuck:
                mail = message_from_bytes(self.spool.folder(key).raw.read_bytes(), policy=SMTP)
                tell(channel.fetch(), str(mail["Subject"]), mail.get_content())
                self.outgoing.replace(key, TOLD, now)
        except (WatcherError, OSError) as error:
            log.error("an alert can't be told by the fallback either: %s", error)
