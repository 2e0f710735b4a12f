"""
imap-watcher: keeps IMAP IDLE links open to many mailboxes and hands each new mail to handlers, once.

The way of a mail, and the rooms it passes:

    server --IDLE--> watch --UIDs--> catch up --bytes--> RECEIVE --> unpack --> route --> ENQUEUE
           imap/             inbox/                       store/      mail/     rules/     store/
                                                                                              |
    server <--flags, moves-- after <-- SETTLE <-- FINISH <-- handler <-------------------------
           imap/            outbox/     store/     store/     jobs/

Words in capitals are one transaction of the ledger each. The stages meet only there: none imports another, and
`daemon.py` alone knows them all.
"""

from watcher.jobs.author import Address, Attachment, Later, Message, Reject, Stop, Trust
from watcher.jobs.once import once
from watcher.version import __version__

__all__ = ["Address", "Attachment", "Later", "Message", "Reject", "Stop", "Trust", "__version__", "once"]
