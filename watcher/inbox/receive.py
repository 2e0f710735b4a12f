"""
Bytes from the link to the spool, then RECEIVE. Memory stays flat: the first piece of many mails in one answer, the
rest of the big ones in slices straight to their files.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

from watcher.cursor import Arrival, Blank, Cursor
from watcher.errors import SpoolFull, Superseded
from watcher.imap.link import Head, Link
from watcher.inbox.post import Post
from watcher.model import Place, identity
from watcher.retry import doubled
from watcher.store.spool import Draft

__all__ = ["CHUNK", "chunks", "note_unfetched", "receive"]

log = logging.getLogger(__name__)

CHUNK = 8  #: mails in one FETCH; what comes meanwhile is noticed only after it
HEAD = 32 * 1024  #: bytes of each that come with it; most mails are smaller
SLICE = 1024 * 1024  #: bytes of each further FETCH of a bigger one
MANY_FETCHES = 5  #: tries of one UID after which it is an error
DAY = 86400.0

MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)*(<[^>\r\n]*>|[^\s]+)", re.IGNORECASE | re.MULTILINE)
HEADER_END = re.compile(rb"\r?\n\r?\n")


def receive(link: Link, cursor: Cursor, uids: Sequence[int], post: Post, now: float) -> Cursor:
    """
    Fetch these mails (CHUNK at most), make them durable, enter them in the ledger together with the cursor.

    Raises MailboxLost, Superseded, SpoolFull, StorageFailed; then all is asked for again that was not entered.
    """
    folders, spool, downstream = post.reception.folders, post.reception.spool, post.reception.downstream
    arrivals: list[Arrival] = []
    with ExitStack() as unless_entered:
        for head in link.heads(uids, HEAD):
            if data := head.data or link.whole(head.uid):
                if downstream.room() < max(head.size, len(data)):
                    raise SpoolFull(f"no room for a mail of {head.size} bytes above watcher.disk_floor")
                draft = spool.draft(key(cursor, head.uid))
                unless_entered.callback(draft.discard)
                if arrival := store(link, cursor, replace(head, data=data), draft, now):
                    arrivals.append(arrival)
                else:
                    draft.discard()
        moved = replace(cursor, next_uid=max([cursor.next_uid, *(arrival.place.uid + 1 for arrival in arrivals)]))
        empty = sorted(set(uids).difference(arrival.place.uid for arrival in arrivals))
        # The others were expunged meanwhile.
        blanks = [blank(cursor, uid, post, "no bytes came", now) for uid in sorted(link.present(empty))]
        for arrival in arrivals[:1]:  # not sooner: should taking it apart kill us, only its claim counts that
            unless_entered.callback(downstream.dropping, arrival.key)
            downstream.storing(arrival)
        spool.settle(arrival.key for arrival in arrivals)
        receiving = folders.receiving(moved, arrivals, blanks, now)
        drafts = unless_entered.pop_all()  # where the disk fails, only the next start can tell whether they are entered
    downstream.arriving()
    try:
        doubles = receiving.result()
    except Superseded:
        drafts.close()
        raise
    downstream.arrived()
    post.pulse.mails += len(arrivals)
    for double in doubles:
        downstream.dropping(double.key)
    spool.remove(double.key for double in doubles)
    for arrival in arrivals:
        known = ", known already and not handled again" if arrival in doubles else ""
        log.info("%s: %d bytes%s", arrival.place, arrival.size, known)
    return moved


def chunks(uids: Sequence[int], size: int = CHUNK) -> Iterator[Sequence[int]]:
    """As many as one FETCH may ask for (RFC 2683 3.2.1.5 wants commands short)."""
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def store(link: Link, cursor: Cursor, head: Head, draft: Draft, now: float) -> Arrival | None:
    """Write one mail down, from its first bytes on; None if it went away before its last ones came."""
    assert head.data
    draft.write(head.data)
    if (draft.size >= HEAD or draft.size < head.size) and not fetch_rest(link, head, draft):
        return None
    draft.finish()
    return Arrival(
        place=place_of(cursor, head.uid),
        key=key(cursor, head.uid),
        received=head.received or datetime.fromtimestamp(now, UTC),
        size=draft.size,
        message_id=message_id(head.data),
        digest=draft.whole.hexdigest(),
        body_digest=draft.body.hexdigest(),
    )


def fetch_rest(link: Link, head: Head, draft: Draft) -> bool:
    """
    Slice by slice to the end; whether it was reached. A short slice is no end: some servers give less than was asked
    for. Nor is the size that the server tells: it may be an estimate (Exchange), so only both together are.
    """
    while piece := link.slice(head.uid, draft.size, SLICE):
        draft.write(piece)
        if len(piece) < SLICE and draft.size >= head.size:
            return True
    return piece is not None or head.uid in link.search(head.uid, head.uid)


def key(cursor: Cursor, uid: int) -> str:
    """Name of the mail for ever: of its spool folder, and the root of what handlers get."""
    return identity(cursor.account, cursor.folder, cursor.epoch, cursor.uidvalidity, uid)


def place_of(cursor: Cursor, uid: int) -> Place:
    return Place(cursor.account, cursor.folder, cursor.uidvalidity, uid)


def message_id(data: bytes) -> str:
    """The Message-ID as sent, "" if there is none in the header."""
    end = HEADER_END.search(data)
    found = MESSAGE_ID.search(data, 0, end.start() if end else len(data))
    return found[1].decode("ascii", "backslashreplace") if found else ""


def blank(cursor: Cursor, uid: int, post: Post, why: str, now: float) -> Blank:
    """
    A UID that is listed but can't be fetched is asked for again, less and less often, as long as the server lists it:
    it neither blocks the folder nor vanishes.
    """
    tries = post.reception.folders.tries(cursor, uid) + 1
    wait = doubled(post.reception.patience.fetch_again, tries - 1, DAY)
    level = logging.ERROR if tries >= MANY_FETCHES else logging.WARNING
    where = f"{cursor.account}/{cursor.folder}: UID {uid}"
    log.log(level, "%s can't be fetched (%s), %d times now; next try in %.0f s", where, why, tries, wait)
    return Blank(uid, why, now + wait)


def note_unfetched(cursor: Cursor, uid: int, post: Post, why: str, now: float) -> None:
    """Fetching this one mail has broken the link: the others are to go on without it."""
    post.reception.folders.receive(cursor, [], [blank(cursor, uid, post, why, now)], now)
