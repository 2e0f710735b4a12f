"""Which of the new mails are worth fetching: those that no rule can be for are recorded and left where they are."""

import logging
import time
from collections.abc import Sequence

from watcher.cursor import Blank, Cursor
from watcher.errors import MailboxLost
from watcher.imap.link import Link
from watcher.imap.outlines import Outline
from watcher.inbox.post import Post, Prefilter

__all__ = ["LOT", "sift"]

log = logging.getLogger(__name__)

LOT = 96  #: mails in one question, whose answers are short
NOTE = "no rule is for it, as its server describes it"


def sift(link: Link, cursor: Cursor, uids: Sequence[int], post: Post) -> list[int]:
    """
    Those of `uids` that are to be fetched (LOT at most). The others are in the ledger afterwards, and so is nothing
    else: a mail counts as looked at, and the cursor moves over it as over one that was handled.

    Asks only where the answer can spare something, and where asking has not broken the link lately. Raises MailboxLost,
    Superseded, StorageFailed; then all is asked for again.
    """
    reception, caution, now = post.reception, post.caution, time.time()
    prefilter = reception.prefilter
    question = prefilter.question(cursor.account, cursor.folder) if prefilter else None
    if prefilter is None or question is None or caution.one_by_one or caution.describe_at > time.monotonic():
        return list(uids)
    try:
        outlines = link.outlines(uids, question)
        left = [outline.uid for outline in outlines if is_refused(link, outline, cursor, prefilter, now)]
    except MailboxLost:
        caution.describe_at = time.monotonic() + reception.patience.describe_again
        raise
    if left:
        reception.folders.receive(cursor, [], [Blank(uid, NOTE, None) for uid in left], now)
        post.pulse.mails += len(left)
        post.pulse.left_out += len(left)
    for uid in left:
        log.debug("%s: UID %d is not fetched: %s", post, uid, NOTE)
    return sorted(set(uids).difference(left))


def is_refused(link: Link, outline: Outline, cursor: Cursor, prefilter: Prefilter, now: float) -> bool:
    """By the outline, or by a closer look where the mail is big and only its parts are in doubt."""
    where = (cursor.account, cursor.folder, now)
    if prefilter.refuses(outline, *where):
        return True
    return prefilter.doubts(outline, *where) and prefilter.refuses(link.look_closer(outline), *where)
