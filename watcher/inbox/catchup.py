"""
Which UIDs of a folder are still to be fetched, and what they mean. Pure: values in, decision out.

IDLE is only a hint; correctness lives here. UIDs of one epoch of a folder (one UIDVALIDITY, as long as UIDNEXT does
not shrink), from low to high:

    floor_uid   below: before the start point, never looked at
    low_uid     below: every UID is handled or proven absent
    next_uid    from here on nothing has been handled

A server may leave out a UID in one answer and list it in the next (seen on Gmail), so a UID counts as absent only after
two searches some time apart have not listed it, and each search looks back a little further still.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from watcher.cursor import Anchor, Cursor, Likeness
from watcher.imap.link import Mailbox, Summary

__all__ = ["LOOK_BACK", "PROOF", "Mark", "Rematch", "begin", "is_new_epoch", "look_from", "prove", "rematch"]

LOOK_BACK = 200  #: UIDs below `low_uid` that every search still covers
PROOF = 30.0  #: seconds between the two searches that prove a UID absent
MANY_RESETS = 5  #: changes of UIDVALIDITY in a row after which the folder is left alone


@dataclass(frozen=True, slots=True)
class Mark:
    """What one search has covered: nothing below `uid` that it did not list was there at `at` (monotonic)."""

    uid: int
    at: float


@dataclass(frozen=True, slots=True)
class Rematch:
    """What the mails of a re-made folder are: known ones, old ones, and the rest, which is to be fetched."""

    same: dict[int, int]  #: UID -> row of the mail
    old: tuple[int, ...]


def is_new_epoch(cursor: Cursor, mailbox: Mailbox) -> bool:
    """UIDs do not mean what they meant: RFC 3501 2.3.1.1. A missing or zero UIDVALIDITY says nothing."""
    if mailbox.uidvalidity and cursor.uidvalidity and mailbox.uidvalidity != cursor.uidvalidity:
        return True
    return mailbox.uidnext is not None and 0 < mailbox.uidnext < cursor.next_uid


def begin(mailbox: Mailbox, listed: Sequence[int], since: Sequence[int] | None, *, everything: bool) -> Anchor:
    """
    The first epoch of a folder. `listed`: all its UIDs (may be empty if UIDNEXT is known and only new mail counts);
    `since`: those of its start date, if there is one; `everything`: take in all that is there.
    """
    if since is not None:
        return Anchor(mailbox.uidvalidity, 1, old=tuple(sorted(set(listed) - set(since))))
    if everything:
        return Anchor(mailbox.uidvalidity, 1)
    return Anchor(mailbox.uidvalidity, max([mailbox.uidnext or 1, *(uid + 1 for uid in listed)]))


def look_from(cursor: Cursor) -> int:
    """First UID of the next search."""
    return max(cursor.floor_uid, cursor.low_uid - LOOK_BACK)


def prove(cursor: Cursor, mark: Mark | None, settled: Iterable[int], now: float) -> tuple[Cursor, Mark]:
    """
    After a search: move the cursor, and remember what this search proves later. `settled`: the UIDs it listed that are
    handled for good; one that was only listed moves nothing, as it may be a slip of the server.

    `low_uid` follows only what an earlier search, at least PROOF seconds ago, had covered as well.
    """
    next_uid = max([cursor.next_uid, *(uid + 1 for uid in settled)])
    if mark is None:
        return replace(cursor, next_uid=next_uid), Mark(next_uid, now)
    if now - mark.at < PROOF:
        return replace(cursor, next_uid=next_uid), mark
    return replace(cursor, next_uid=next_uid, low_uid=max(cursor.low_uid, mark.uid)), Mark(next_uid, now)


def rematch(
    summaries: Iterable[Summary], likenesses: Iterable[Likeness], *, earliest: float, first_day: date | None
) -> Rematch:
    """
    Recognise the mails of a re-made folder by Message-ID, INTERNALDATE (RFC 4549 4.2.2.1 uses the pair) and size.

    Nothing is guessed: what is not one clear match is fetched, and its content decides. That goes also for a size that
    differs, which may be the server's estimate (Exchange). Unknown mails from before the start (`earliest`, seconds
    since 1970; or the first day) are old.
    """
    known: defaultdict[tuple[str, float], list[Likeness]] = defaultdict(list)
    for likeness in likenesses:
        known[likeness.message_id, likeness.received].append(likeness)
    same: dict[int, int] = {}
    taken: set[int] = set()
    old: list[int] = []
    for summary in summaries:
        like = known[summary.message_id, summary.received.timestamp()] if summary.message_id else []
        alike = [one for one in like if one.size == summary.size]
        if len(alike) == 1 and alike[0].mail not in taken:
            same[summary.uid] = alike[0].mail
            taken.add(alike[0].mail)
        elif like:
            continue
        elif summary.received.date() < first_day if first_day else summary.received.timestamp() < earliest:
            old.append(summary.uid)
    return Rematch(same, tuple(old))
