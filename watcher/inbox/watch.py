"""
Watches one folder, for ever: connect, take in what is there, wait for news, and again.

Reads as one blocking loop; the lounge parks it at each `yield`.
"""

import logging
import time
from collections.abc import Callable, Sequence

from watcher.errors import (
    FolderRefused,
    LoginRefused,
    MailboxLost,
    SecretUnavailable,
    ServerUntrusted,
    Superseded,
    WatcherError,
)
from watcher.inbox.anchor import take_over
from watcher.inbox.enter import log_in, probe
from watcher.inbox.idle import wait_for_news
from watcher.inbox.intake import Progress, catch_up
from watcher.inbox.lounge import Guest, Wait
from watcher.inbox.post import Post
from watcher.inbox.pulse import State
from watcher.retry import delays

__all__ = ["persist", "tell", "watch"]

log = logging.getLogger(__name__)


def watch(post: Post) -> Guest:
    """The guest of one folder. Ends only when it is closed; an error that it raises is a bug or a failing disk."""
    return persist([post], lambda: attend(post))


def persist(posts: Sequence[Post], visit: Callable[[], Guest]) -> Guest:
    """Let one visit of these folders' server follow the other, each after a wait that fits the end of the last."""
    first = posts[0]
    patience = first.reception.patience
    waits = delays(patience.first_wait, patience.longest_wait)
    refusals = 0
    while True:
        before, mails = first.pulse.connects, sum(post.pulse.mails for post in posts)
        for post in posts:
            post.pulse.state = State.CONNECTING
        try:
            yield from visit()
        except (MailboxLost, Superseded) as error:
            connected = first.pulse.connects > before
            lived = time.monotonic() - first.pulse.connected_at if connected else 0.0
            if lived > patience.proven_life or sum(post.pulse.mails for post in posts) > mails:
                waits = delays(patience.first_wait, patience.longest_wait)
            refusals = 0 if connected else refusals
            wait = tell(posts, State.WAITING, error, next(waits))
        except (LoginRefused, ServerUntrusted, SecretUnavailable) as error:
            wait = tell(posts, State.REFUSED, error, patience.refused[min(refusals, 1)])
            refusals += 1
        except FolderRefused as error:
            wait = tell(posts, State.REFUSED, error, patience.parked)
        else:
            return
        yield Wait(time.monotonic() + wait)


def tell(posts: Sequence[Post], state: State, error: WatcherError, wait: float) -> float:
    """Note a trouble for `status`, and log it once for all folders it concerns."""
    for post in posts:
        post.pulse.state, post.pulse.trouble, post.pulse.answered = state, str(error), True
    level = logging.WARNING if state is State.WAITING else logging.ERROR
    others = f" and {len(posts) - 1} more" if len(posts) > 1 else ""
    log.log(level, "%s%s: %s; next try in %.0f s", posts[0], others, error, wait)
    return wait


def attend(post: Post) -> Guest:
    """One link, from login to loss."""
    link = yield from log_in([post])
    try:
        progress = Progress(take_over(link, link.examine(post.pulse.folder), post))
        probe_at = post.next_probe()
        while True:
            progress = yield from catch_up(link, progress, post)
            if not link.news:
                yield from wait_for_news(link, [post])
            if time.monotonic() >= probe_at:
                yield from probe(link, progress, post)
                probe_at = post.next_probe()
    finally:
        link.close()
