"""
Alerts by mail: what is logged as an error, the first at once, what follows within ten minutes together.

An alert tells of itself by our loop field, so that no rule is for it, and what goes wrong with an alert makes no other.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection

from watcher.config.alerts import AlertSettings
from watcher.config.smtp import Relay
from watcher.errors import MailRefused, SpoolFull
from watcher.model import Kind, Work
from watcher.outbox.own import OwnMail
from watcher.posting import Posting
from watcher.store.spool import Spool

__all__ = ["ALERT", "Alarm"]

log = logging.getLogger(__name__)

ALERT = "(alert)"  #: author of the letters; no handler is called so
APART = 600.0  #: seconds between two mails
KEPT = 200  #: lines of one mail


class Alarm(logging.Handler):
    """Collects errors from any thread; `flush_due` makes a letter of them."""

    def __init__(
        self,
        settings: Callable[[], AlertSettings | None],
        relay: Callable[[str], Relay | None],
        spool: Spool,
        instance: str,
        post: Callable[[Posting], None],
        *,
        otherwise: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """
        `post` enters a letter in the ledger, whose name is `instance`. `otherwise` gets subject and text of what can't
        be written down there, as when the disk is full.
        """
        super().__init__(logging.ERROR)
        self.settings = settings
        self.relay = relay
        self.spool = spool
        self.alerts = OwnMail(ALERT, instance)
        self.post = post
        self.otherwise = otherwise
        self.pending: deque[tuple[str, frozenset[str]]] = deque(maxlen=KEPT)  #: and the keys of the mails it is about
        self.missed = 0
        self.sent_at = 0.0
        self.guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Take down one error."""
        works = [each for each in record.args or () if isinstance(each, Work)]
        if record.name == __name__ or any(work.kind is Kind.SEND and work.name == ALERT for work in works):
            return
        with self.guard:
            self.missed += len(self.pending) == KEPT
            self.pending.append((record.getMessage(), frozenset(work.key for work in works)))

    def forget(self, keys: Collection[str]) -> None:
        """Tell nothing of the mails with these keys any more."""
        with self.guard:
            self.pending = deque((one for one in self.pending if one[1].isdisjoint(keys)), maxlen=KEPT)

    def flush_due(self, now: float) -> None:
        """Send what there is, if the last mail is long enough ago."""
        settings = self.settings()
        with self.guard:
            if settings is None or not self.pending or 0 <= now - self.sent_at < APART:
                return
            taken, missed = list(self.pending), self.missed
            self.pending.clear()
            self.missed, self.sent_at = 0, now
        lines = [line for line, _ in taken]
        more = f" and {len(lines) + missed - 1} more" if len(lines) + missed > 1 else ""
        subject = f"imap-watcher: {lines[0][:120]}{more}"
        head = [f"({missed} earlier ones are left out)"] if missed else []
        text = "\n".join([*head, *lines]) + "\n"
        try:
            self.send(settings, subject, text)
        except (MailRefused, SpoolFull) as error:
            log.error("no alert can be sent: %s", error)  # noqa: TRY400 no bug
            if settings.fallback:
                self.otherwise(subject, text)
            elif isinstance(error, SpoolFull):  # next time, perhaps
                with self.guard:
                    self.pending.extendleft(reversed(taken[: KEPT - len(self.pending)]))

    def send(self, settings: AlertSettings, subject: str, text: str) -> None:
        relay = self.relay(settings.smtp)
        if relay is None or relay.sender is None:
            raise MailRefused(f"there is no [smtp.{settings.smtp}] with a sender")
        self.post(self.alerts.write(self.spool, relay.name, relay.sender, settings.to, subject=subject, text=text))
