"""Links that are deaf: some servers go on answering an old one without ever showing it new mail."""

import logging

from watcher.errors import FolderRefused, LoginRefused, Loss, MailboxLost, SecretUnavailable, ServerUntrusted
from watcher.imap.link import Link
from watcher.inbox.enter import enter
from watcher.inbox.intake import Progress
from watcher.inbox.lounge import Guest
from watcher.inbox.post import Post

__all__ = ["probe"]

log = logging.getLogger(__name__)


def probe(link: Link, progress: Progress, post: Post) -> Guest:
    """
    Look at the folder over a fresh link. Raises MailboxLost if `link` is deaf; if no fresh one is to be had, that says
    nothing about this one.
    """
    try:
        fresh = yield from enter(post)
    except (MailboxLost, LoginRefused, SecretUnavailable, ServerUntrusted) as error:
        log.info("%s: no second link to compare with: %s", post, error)
        return
    try:
        mailbox = fresh.examine(post.pulse.folder)
        there = set(fresh.search(progress.cursor.next_uid))
    except (MailboxLost, FolderRefused) as error:
        log.info("%s: the second link brought nothing: %s", post, error)
        return
    finally:
        fresh.logout()
    if mailbox.uidvalidity and 0 < progress.cursor.uidvalidity != mailbox.uidvalidity:
        raise MailboxLost("the link is deaf: a fresh one shows that the folder was made anew", Loss.SAID)
    if there and not there & set(link.search(progress.cursor.next_uid)):
        raise MailboxLost("the link is deaf: a fresh one shows new mail, this one does not", Loss.SAID)
