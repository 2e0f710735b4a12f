"""
Bytes from the link to the spool, then RECEIVE. Memory stays flat: the first piece of many mails in one answer, the
rest of the big ones in slices straight to their files.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from watcher.cursor import Arrival, Blank, Cursor
from watcher.imap.link import Head, Link
from watcher.inbox.post import Reception
from watcher.model import Place, identity
from watcher.store.spool import Draft, Spool

__all__ = ["chunks", "receive"]

log = logging.getLogger(__name__)

CHUNK = 32  #: mails in one FETCH
HEAD = 32 * 1024  #: bytes of each that come with it; most mails are smaller
SLICE = 1024 * 1024  #: bytes of each further FETCH of a bigger one
FETCHES = 10  #: tries after which a UID that brings no bytes is given up

MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)*(<[^>\r\n]*>|[^\s]+)", re.IGNORECASE | re.MULTILINE)
HEADER_END = re.compile(rb"\r?\n\r?\n")


def receive(link: Link, cursor: Cursor, uids: Sequence[int], reception: Reception, now: float) -> Cursor:
    """
    Fetch these mails (CHUNK at most), make them durable, enter them in the ledger together with the cursor.

    Raises MailboxLost, Superseded, StorageFailed; then nothing was entered, and all is asked for again.
    """
    folders, spool = reception.folders, reception.spool
    heads = {head.uid: head for head in link.heads(uids, HEAD)}
    arrivals: list[Arrival] = []
    blanks: list[Blank] = []
    for uid in uids:
        arrival = store(link, cursor, heads[uid], spool, now) if uid in heads else None
        if arrival:
            arrivals.append(arrival)
        elif uid in link.search(uid, uid):  # else it was expunged meanwhile
            tries = folders.tries(cursor, uid)
            blanks.append(blank(cursor, uid, tries + 1, now + reception.patience.fetch_again * 2**tries))
    if arrivals:
        spool.settle()
    moved = replace(cursor, next_uid=max(cursor.next_uid, uids[-1] + 1))
    doubles = folders.receive(moved, arrivals, blanks, now)
    reception.arrived()
    spool.remove(double.key for double in doubles)
    for arrival in arrivals:
        known = ", known already and not handled again" if arrival in doubles else ""
        log.info(
            "%s/%s: mail UID %d, %d bytes%s", cursor.account, cursor.folder, arrival.place.uid, arrival.size, known
        )
    return moved


def chunks(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many as one FETCH may ask for (RFC 2683 3.2.1.5 wants commands short)."""
    for start in range(0, len(uids), CHUNK):
        yield uids[start : start + CHUNK]


def store(link: Link, cursor: Cursor, head: Head, spool: Spool, now: float) -> Arrival | None:
    """One mail to the disk; None if the server sends no bytes of it."""
    place = Place(cursor.account, cursor.folder, cursor.uidvalidity, head.uid)
    data = head.data or link.whole(head.uid)
    if not data:
        return None
    key = identity(cursor.account, cursor.folder, cursor.epoch, cursor.uidvalidity, head.uid)
    draft = spool.draft(key)
    try:
        draft.write(data)
        if head.data and len(head.data) >= HEAD:
            fetch_rest(link, head.uid, draft)
        draft.finish()
    except BaseException:
        draft.discard()
        raise
    received = head.received or datetime.fromtimestamp(now, UTC)
    return Arrival(place, key, received, draft.size, message_id(data), draft.whole.hexdigest(), draft.body.hexdigest())


def fetch_rest(link: Link, uid: int, draft: Draft) -> None:
    """Slice by slice until a short one: what the server says of the size may be an estimate (Exchange)."""
    while piece := link.slice(uid, draft.size, SLICE):
        draft.write(piece)
        if len(piece) < SLICE:
            break


def message_id(data: bytes) -> str:
    """The Message-ID as sent, "" if there is none in the header."""
    end = HEADER_END.search(data)
    found = MESSAGE_ID.search(data, 0, end.start() if end else len(data))
    return found[1].decode("ascii", "backslashreplace") if found else ""


def blank(cursor: Cursor, uid: int, tries: int, due: float) -> Blank:
    """A UID that is listed but brings no bytes is asked for again later; it neither blocks the folder nor vanishes."""
    where = f"{cursor.account}/{cursor.folder}: UID {uid}"
    if tries >= FETCHES:
        log.error("%s: the server lists this mail but sends no bytes of it, %d times; given up", where, tries)
        return Blank(uid, "unreadable: listed, but no bytes came", None)
    log.warning("%s: the server lists this mail but sends no bytes of it; asked again later", where)
    return Blank(uid, "listed, but no bytes came", due)
