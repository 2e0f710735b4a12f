"""
Mail that the daemon writes by itself, and knows again when it comes in: its loop field names the ledger and what it is.
Anybody may write such a field, so it proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from watcher.model import Address, Message, identity
from watcher.outbox.compose import LOOP, Letter
from watcher.outbox.fields import normal
from watcher.outbox.scribe import Terms, put
from watcher.posting import Posting
from watcher.store.spool import Spool

__all__ = ["OwnMail"]


@dataclass(frozen=True, slots=True)
class OwnMail:
    """One kind of it."""

    kind: str  #: "(alert)", "(canary)"; the author of the letters
    instance: str  #: name of the ledger

    @property
    def mark(self) -> str:
        """What stands in its loop field."""
        return f"{self.instance}; {self.kind}"

    def is_marked(self, message: Message) -> bool:
        """Whether a mail that came in bears the mark."""
        return any(name.lower() == LOOP.lower() and value.strip() == self.mark for name, value in message.headers)

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
        return put(spool, identity(self.kind, uuid4()), letter, people, Terms(relay, self.kind, self.mark))
