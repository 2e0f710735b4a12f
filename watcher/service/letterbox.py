"""Where a command posts a letter while the daemon runs: its bytes lie in the spool, the daemon writes the ledger."""

import time
from collections.abc import Callable
from hashlib import file_digest

from watcher.model import IDENTITY
from watcher.outbox.fields import normal
from watcher.posting import Posting
from watcher.service.control import Refused
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

__all__ = ["Letterbox"]


class Letterbox:
    """Asked by the control socket, from any thread."""

    def __init__(self, outgoing: Outgoing, spool: Spool, ring: Callable[[], object]) -> None:
        """`ring`: there is something to send."""
        self.outgoing = outgoing
        self.spool = spool
        self.ring = ring

    def post(self, *, key: str, relay: str, sender: str, recipients: str, message_id: str) -> object:
        """
        Enter what lies in the spool under `key`; `recipients` have blanks between them. What was entered.

        Raises Refused, AddressRefused.
        """
        file = self.spool.folder(key).raw
        if not IDENTITY.fullmatch(key) or not file.is_file():
            raise Refused("the mail to be sent does not lie in the spool of this daemon")
        with file.open("rb") as mail:
            digest = file_digest(mail, "sha256").hexdigest()
        people = tuple(map(normal, recipients.split(" ")))
        posting = Posting(key, relay, "send", normal(sender), people, message_id, digest, file.stat().st_size)
        self.outgoing.post(posting, time.time())
        self.ring()
        return {"message_id": message_id, "recipients": list(people)}
