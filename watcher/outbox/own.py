"""
Mail that the daemon writes by itself, and knows again when it comes in: its loop field names the ledger, what it is and
its key there. The first two are seen by whoever gets mail of ours, so only the key counts; not the Message-ID, since
some relays give mails another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from watcher.model import Address, Message, identity
from watcher.outbox.compose import LOOP, Letter
from watcher.outbox.fields import normal
from watcher.outbox.scribe import Terms, put
from watcher.posting import Posting
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

__all__ = ["OwnMail"]


@dataclass(frozen=True, slots=True)
class OwnMail:
    """One kind of it."""

    kind: str  #: "(alert)", "(canary)"; the author of the letters
    instance: str  #: name of the ledger

    @property
    def mark(self) -> str:
        """What stands in its loop field, before the key."""
        return f"{self.instance}; {self.kind}"

    def came_back(self, message: Message, mail: int, outgoing: Outgoing) -> bool:
        """Whether a mail that came in, row `mail`, is one of these; if so that is on record then."""
        values = (value.strip() for name, value in message.headers if name.lower() == LOOP.lower())
        keys = [value.rpartition(";")[2].strip() for value in values if value.startswith(f"{self.mark};")]
        return any(outgoing.came_back(key, self.kind, mail) for key in keys[:1])

    def write(
        self, spool: Spool, relay: str, sender: Address, to: Sequence[str], *, subject: str, text: str
    ) -> Posting:
        """A letter, durable in the spool. Raises MailRefused, SpoolFull, StorageFailed."""
        letter = Letter(
            sender=sender,
            to=tuple(Address("", address) for address in to),
            subject=subject,
            text=text,
            automatic="auto-generated",
        )
        people = tuple(map(normal, to))
        key = identity(self.kind, uuid4())
        return put(spool, key, letter, people, Terms(relay, self.kind, f"{self.mark};\r\n {key}"))
