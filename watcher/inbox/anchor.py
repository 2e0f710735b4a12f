"""Where a new link begins to read a folder: where the last one ended, unless its UIDs don't mean what they meant."""

import logging
import time
from collections.abc import Generator
from dataclasses import replace

from watcher.cursor import Anchor, Cursor
from watcher.errors import FolderRefused
from watcher.imap.link import Link, Mailbox, Summary
from watcher.inbox.catchup import MANY_RESETS, begin, is_new_epoch, rematch
from watcher.inbox.lounge import Wait
from watcher.inbox.post import Post
from watcher.inbox.receive import chunks

__all__ = ["take_over"]

log = logging.getLogger(__name__)

BEFORE_START = 60.0  #: seconds by which the server's clock may be behind ours
DESCRIBED = 80  #: mails whose summaries are asked for at once (RFC 2683 3.2.1.5 wants commands short)


def take_over(link: Link, mailbox: Mailbox, post: Post) -> Generator[Wait, bool, Cursor]:
    """
    The cursor of the folder that this link has opened; an older link can't move it any more. A big folder that was made
    anew is gone through in steps, so that others get their turn.

    Raises FolderRefused for a server that makes the folder anew again and again: each time means to go through it all.
    """
    folders = post.reception.folders
    cursor = folders.take(post.account.name, post.pulse.folder)
    if cursor.epoch == 0:
        return folders.anchor(cursor, first_anchor(link, mailbox, post), time.time())
    if not is_new_epoch(cursor, mailbox):
        return folders.steady(replace(cursor, uidvalidity=mailbox.uidvalidity or cursor.uidvalidity))
    if cursor.resets >= MANY_RESETS and post.caution.mistrusted != mailbox.uidvalidity:
        post.caution.mistrusted = mailbox.uidvalidity  # the same one after the wait will do
        raise FolderRefused(
            f"the server made this folder anew {cursor.resets} times in a row (UIDVALIDITY is now "
            f"{mailbox.uidvalidity}); it is left alone for a while: ask the server's operator"
        )
    log.warning("%s: the folder was made anew (UIDVALIDITY %d); looking for what is new", post, mailbox.uidvalidity)
    anchor = yield from next_anchor(link, mailbox, cursor, post)
    return folders.anchor(cursor, anchor, time.time())


def first_anchor(link: Link, mailbox: Mailbox, post: Post) -> Anchor:
    start = post.account.start
    since = link.search_since(start.since) if start.since else None
    needed = since is not None or (start.kind == "new" and not mailbox.uidnext)
    return begin(mailbox, link.search(1) if needed else (), since, everything=start.kind == "all")


def next_anchor(link: Link, mailbox: Mailbox, cursor: Cursor, post: Post) -> Generator[Wait, bool, Anchor]:
    listed = link.search(1)
    summaries: list[Summary] = []
    for uids in chunks(listed, DESCRIBED):
        summaries += link.summaries(uids)
        post.pulse.heard_at = link.heard_at
        yield Wait(time.monotonic())
    start = post.account.start
    earliest = (cursor.started_at or 0.0) - BEFORE_START if start.kind == "new" else 0.0
    likenesses = post.reception.folders.likenesses(cursor)
    found = rematch(summaries, likenesses, earliest=earliest, first_day=start.since)
    reset_uid = max([mailbox.uidnext or 1, *(uid + 1 for uid in listed)])
    return Anchor(mailbox.uidvalidity, 1, reset_uid, found.same, found.old)
