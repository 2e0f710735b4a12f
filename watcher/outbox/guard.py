"""
Whom a machine may answer, and what it may pass on (RFC 3834). Pure: a mail in, the reason against it out.

Loops are the most common harm of mail robots; every rule here stands for one that was met.
"""

import re

from watcher.model import Address, Message
from watcher.outbox.compose import LOOP
from watcher.outbox.fields import AddressRefused, normal
from watcher.posting import Cap

__all__ = ["answer_caps", "answer_to", "letter_caps", "objection", "own", "trail"]

HOPS = 50  #: Received fields of a mail that is going in a circle; RFC 5321 6.3 says 100

LEDGER = re.compile(r"[0-9A-Za-z-]{1,64}")
TRAIL = 20  #: daemons that a mail has come through

#: Local parts behind which nobody reads (RFC 3834 2, RFC 2142).
NOBODY = re.compile(
    r"(?:no|do-?not|never)[-_.]?reply.*|mailer-?daemon|postmaster|bounces?(?:[-+=].*)?|.*[-+](?:bounces?|request|owner)"
    r"|owner-.*|listserv|majordomo|daemon|uucp",
    re.IGNORECASE,
)


def answer_caps(per_sender: int) -> tuple[Cap, ...]:
    """For who strips the fields by which machines know each other: kept in the ledger, so they outlive a restart."""
    return (
        Cap(per_sender, 86400.0, peer=True, author=True),
        Cap(20, 3600.0, author=True),
        Cap(100, 86400.0),
    )


def letter_caps(per_day: int) -> tuple[Cap, ...]:
    """For what a handler sends or forwards, which may come round to it as well."""
    return (Cap(per_day, 86400.0, answers=False, author=True),)


def marks(message: Message) -> list[str]:
    """The ledgers whose daemons have sent this mail, or what it came of."""
    return [value.split(";")[0].strip() for name, value in message.headers if name.lower() == LOOP.lower()]


def trail(message: Message) -> tuple[str, ...]:
    """What a mail that comes of this one tells of them, so that each of them knows its own again."""
    return tuple(dict.fromkeys(filter(LEDGER.fullmatch, marks(message))))[:TRAIL]


def own(message: Message, instance: str) -> str:
    """Why a mail makes no other mail at all: it is ours, or goes in a circle. "" if neither."""
    if instance in marks(message):
        return "it was sent by this very daemon, or came of such a mail"
    if sum(name.lower() == "received" for name, _ in message.headers) > HOPS:
        return f"it has passed more than {HOPS} servers: it goes in a circle"
    return ""


def objection(message: Message, ours: frozenset[str], instance: str) -> str:
    """Why a machine must not answer this mail; "" if it may. `ours`: our addresses, in lower case."""
    nature = message.nature
    peer = answer_to(message)
    paths = {value.strip() for name, value in message.headers if name.lower() == "return-path"}
    reasons = {
        "it is a bounce": nature.bounce is not None,
        "it is a report": nature.report is not None,
        "it came over a mailing list": nature.list_id is not None,
        "it was sent by a machine": nature.automatic or nature.auto_reply,
        "its sender wants no bounce (null Return-Path)": "<>" in paths,
        "it names no one sender": peer is None,
    }
    if reason := own(message, instance) or next((words for words, holds in reasons.items() if holds), ""):
        return reason
    assert peer
    authors = {one.address.lower() for one in message.from_}
    if ours & (authors | {peer.address.lower()}):
        return "it comes from an address of ours"
    local = peer.address.rpartition("@")[0]
    return f"nobody reads {peer.address}" if NOBODY.fullmatch(local) else ""


def answer_to(message: Message) -> Address | None:
    """Who gets the answer: the one address of Reply-To, else of From. None if it is not one, or can't be one."""
    given = message.reply_to or message.from_
    if len({one.address.lower() for one in given}) != 1:
        return None
    try:
        return Address(given[0].name, normal(given[0].address))
    except AddressRefused:
        return None
