"""Taking in all that is new in a folder, and what a link knows of it from one time to the next."""

import logging
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watcher.cursor import Blank, Cursor
from watcher.errors import MailboxLost, SpoolFull
from watcher.imap.link import Link
from watcher.inbox.catchup import PROOF, Mark, look_from, prove
from watcher.inbox.idle import keep_alive, linger
from watcher.inbox.lounge import Guest, Wait
from watcher.inbox.post import Post
from watcher.inbox.pulse import State
from watcher.inbox.receive import CHUNK, chunks, note_unfetched, receive
from watcher.inbox.sift import LOT, sift

__all__ = ["Progress", "catch_up"]

log = logging.getLogger(__name__)

AUDITED = timedelta(days=3)  #: how far back the daily audit searches; SEARCH SINCE knows days only, and no zones
NOT_LISTED = "it is not listed"


@dataclass(frozen=True, slots=True)
class Progress:
    """What one link knows of its folder."""

    cursor: Cursor
    mark: Mark | None = None
    audit_at: float = 0.0  #: when to search the last days again, monotonic seconds
    again_at: float = 0.0  #: when to ask for UIDs that have brought nothing, monotonic seconds


def catch_up(link: Link, progress: Progress, post: Post) -> Generator[Wait, bool, Progress]:
    """Fetch all that is new. Others get their turn between two FETCHes, so that one backlog delays nobody else."""
    cursor, pulse, began = progress.cursor, post.pulse, time.time()
    pulse.state = State.CATCHING_UP
    link.clear_news()
    found = look(link, look_from(cursor), post)
    listed, audit_at = found, progress.audit_at
    if time.monotonic() >= audit_at:
        recent = link.search_since((datetime.now(UTC) - AUDITED).date())
        listed, audit_at = [*found, *recent], time.monotonic() + post.reception.patience.audit
    todo, again_at = unfetched(listed, cursor.floor_uid, cursor, post), progress.again_at
    ask = bool(todo) or time.monotonic() >= again_at  # else a renewal would cost questions to the ledger
    again = left_behind(link, cursor, listed, post) if ask else []
    fresh = sorted(set(todo).difference(again))
    top = max([cursor.next_uid - 1, *listed])  # a mail may have come between the two searches
    if not post.reception.downstream.in_order():  # the newest may have come just now
        fresh = [*fresh[-CHUNK:], *fresh[:-CHUNK]]
    for uids in (fresh, again):  # apart, as the second may break the link once more
        cursor = yield from work_off(link, cursor, uids, top, post)
    proven, mark = prove(cursor, progress.mark, passed_over(found, cursor, post), time.monotonic())
    if proven != cursor:
        post.reception.folders.advance(proven)
    post.caution.one_by_one = False
    post.reception.alerts.show(post.account, link.alerts())
    pulse.heard_at, pulse.scanned_at, pulse.answered, pulse.trouble = link.heard_at, time.monotonic(), True, ""
    return Progress(proven, mark, audit_at, next_fetch(proven, began, post) if ask else again_at)


def look(link: Link, low: int, post: Post) -> list[int]:
    """
    The UIDs from `low` on. If that is asked for right behind DONE and breaks the link, the server may be one that drops
    what comes with DONE: it is not asked so again for a while.
    """
    hurried = link.leaving
    try:
        return link.search(low)
    except MailboxLost:
        if hurried:
            post.caution.hurry_at = time.monotonic() + post.reception.patience.hurry_again
        raise


def left_behind(link: Link, cursor: Cursor, listed: Sequence[int], post: Post) -> list[int]:
    """
    The UIDs that have brought nothing, and whose time has come. For those that are not `listed` the server is asked by
    themselves, as a look covers the newest only; what it leaves out twice, some time apart, is gone and settled.
    """
    now, folders = time.time(), post.reception.folders
    overdue = folders.overdue(cursor, now)
    unlisted = sorted(set(overdue).difference(listed))
    gone = set(unlisted).difference(*(link.present(uids) for uids in chunks(unlisted, LOT)))
    if gone:
        blanks = [Blank(uid, NOT_LISTED, None if overdue[uid] == NOT_LISTED else now + PROOF) for uid in gone]
        folders.receive(cursor, [], blanks, now)
    return [uid for uid in overdue if uid not in gone]


def next_fetch(cursor: Cursor, began: float, post: Post) -> float:
    """When the next UID that brought nothing is due; what was due when the look `began` is settled by it, or gone."""
    now = time.time()  # before `began` if the clock was set back meanwhile
    wait = post.reception.folders.next_due(cursor, min(began, now)) - now
    return time.monotonic() + wait  # asked last: once the time has come by this clock, it has by the ledger's


def unfetched(listed: Sequence[int], low: int, cursor: Cursor, post: Post) -> list[int]:
    """Those of the listed UIDs from `low` on that are to be fetched now, in order."""
    uids = {uid for uid in listed if uid >= low}
    return sorted(uids - post.reception.folders.looked_at(cursor, min(uids), time.time())) if uids else []


def passed_over(found: Sequence[int], cursor: Cursor, post: Post) -> set[int]:
    """The UIDs beyond the cursor that never need a fetch; what was taken in has moved the cursor by itself."""
    beyond = {uid for uid in found if uid >= cursor.next_uid}
    return beyond & post.reception.folders.settled(cursor, cursor.next_uid) if beyond else beyond


def work_off(link: Link, cursor: Cursor, todo: Sequence[int], top: int, post: Post) -> Generator[Wait, bool, Cursor]:
    """Fetch these: the first of them at once, the others as fast as they are taken apart."""
    begun = False
    for lot in chunks(todo, LOT):
        worth = sift(link, cursor, lot, post)
        if len(worth) < len(lot):
            yield Wait(time.monotonic())
        for uids in chunks(worth):
            while begun and post.reception.downstream.full():
                yield from linger(link, post, post.reception.patience.full)
                cursor, top = yield from let_pass(link, cursor, top, post)
            begun = True
            cursor = yield from fetch(link, cursor, uids, post)
            cursor, top = yield from let_pass(link, cursor, top, post)
    return cursor


def let_pass(link: Link, cursor: Cursor, top: int, post: Post) -> Generator[Wait, bool, tuple[Cursor, int]]:
    """
    What has come in above `top` while a backlog is fetched goes before the rest of it, however much waits to be taken
    apart; unless a handler wants its mail in order. The cursor, and the highest UID that is known now.
    """
    while link.news and not (post.caution.one_by_one or post.reception.downstream.in_order()):
        link.clear_news()
        fresh = unfetched(link.search(top + 1), top + 1, cursor, post)
        if not fresh:  # else a server that always has news would hold up the backlog
            break
        top = fresh[-1]
        for uids in chunks(fresh, LOT):
            cursor = yield from fetch(link, cursor, sift(link, cursor, uids, post), post)
    return cursor, top


def fetch(link: Link, cursor: Cursor, wanted: Sequence[int], post: Post) -> Generator[Wait, bool, Cursor]:
    """Take these mails in; the cursor behind them."""
    pulse = post.pulse
    for uids in chunks(wanted, 1) if post.caution.one_by_one else chunks(wanted):
        taken: Cursor | None = None
        while taken is None:
            yield from wait_for_room(link, post)
            taken = receive_carefully(link, cursor, uids, post)
        cursor = taken
        if pulse.state is State.HELD:
            log.warning("%s: receiving again", post)
            pulse.state, pulse.trouble = State.CATCHING_UP, ""
        pulse.heard_at = link.heard_at
        yield Wait(time.monotonic())
    return cursor


def receive_carefully(link: Link, cursor: Cursor, uids: Sequence[int], post: Post) -> Cursor | None:
    """`receive`, None if there is no room; if it breaks the link, see to it that one bad mail can't do so for ever."""
    try:
        return receive(link, cursor, uids, post, time.time())
    except SpoolFull as error:
        tell_held(post, str(error))
        return None
    except MailboxLost as error:
        if post.caution.one_by_one or (len(uids) == 1 and post.reception.folders.tries(cursor, uids[0])):
            note_unfetched(cursor, uids[0], post, str(error), time.time())
        post.caution.one_by_one = True
        raise


def wait_for_room(link: Link, post: Post) -> Guest:
    """Wait while the disk is full; the link stays up."""
    if post.pulse.state is State.HELD:
        yield from hold(link, post)
    while post.reception.downstream.room() <= 0:
        tell_held(post, "the disk has less space left than watcher.disk_floor")
        yield from hold(link, post)


def hold(link: Link, post: Post) -> Guest:
    yield Wait(time.monotonic() + post.reception.patience.hold)
    keep_alive(link, post)


def tell_held(post: Post, reason: str) -> None:
    if post.pulse.state is not State.HELD:
        log.error("%s: nothing is received: %s", post, reason)
    post.pulse.state, post.pulse.trouble = State.HELD, reason
