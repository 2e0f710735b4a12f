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

__version__ = "0.1.0"
