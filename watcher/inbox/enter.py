"""Getting a link: each in its turn at the door of the host."""

import time
from collections.abc import Generator, Sequence

from watcher.errors import LoginHeld, LoginNeeded, LoginRefused, Loss, MailboxLost, ServerUntrusted
from watcher.imap.link import Link
from watcher.inbox.intake import Progress
from watcher.inbox.lounge import Guest, Wait
from watcher.inbox.post import Post

__all__ = ["log_in", "probe"]


def log_in(posts: Sequence[Post]) -> Generator[Wait, bool, Link]:
    """The link of these folders of one account."""
    link = yield from enter(posts[0])
    for post in posts:
        post.pulse.connects += 1
        post.pulse.connected_at = time.monotonic()
    return link


def enter(post: Post) -> Generator[Wait, bool, Link]:
    """A fresh link, once it is our turn at the host's door."""
    door = post.reception.door(post.account)
    turn = door.knock(time.monotonic())
    reached: bool | None = None
    try:
        while not turn.granted:
            again = door.look(turn, time.monotonic())
            if not turn.granted:
                yield Wait(again, turn=turn)
        link = post.reception.access.open(post.account)
        reached = True
    except MailboxLost:
        reached = False
        raise
    except (LoginHeld, LoginNeeded):
        raise  # the host was not asked
    except (LoginRefused, ServerUntrusted):
        reached = True
        raise
    finally:
        door.leave(turn, time.monotonic(), reached=reached)
    post.reception.alerts.show(post.account, link.alerts())
    return link


def probe(link: Link, progress: Progress, post: Post) -> Guest:
    """
    Look at the folder over a fresh link: some servers go on answering an old one without ever showing it new mail.

    Raises MailboxLost if `link` is deaf like that.
    """
    fresh = yield from enter(post)
    try:
        fresh.examine(post.pulse.folder)
        there = set(fresh.search(progress.cursor.next_uid))
    finally:
        fresh.logout()
    if there and not there & set(link.search(progress.cursor.next_uid)):
        raise MailboxLost("the link is deaf: a fresh one shows new mail, this one does not", Loss.SAID)
