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
from watcher.inbox.deaf import probe
from watcher.inbox.enter import log_in
from watcher.inbox.idle import wait_for_news
from watcher.inbox.intake import Progress, catch_up
from watcher.inbox.lounge import Guest, Wait
from watcher.inbox.pace import Pace, Tries
from watcher.inbox.post import Post
from watcher.inbox.pulse import State

__all__ = ["persist", "tell", "watch"]

log = logging.getLogger(__name__)


def watch(post: Post, stays: Callable[[], bool] = lambda: True, crowded: Callable[[], bool] = lambda: False) -> Guest:
    """
    The guest of one folder. Ends when it is closed or no longer `stays`, which it asks now and then; for `crowded` see
    `persist`. An error that it raises is a bug or a failing disk.
    """
    return persist([post], lambda: attend(post, stays), crowded)


def attend(post: Post, stays: Callable[[], bool]) -> Guest:
    """One link, from login to loss or until the folder no longer `stays`."""
    if not stays():
        return
    link = yield from log_in([post])
    try:
        cursor = yield from take_over(link, link.examine(post.pulse.folder), post)
        progress = Progress(cursor)
        probe_at = post.next_probe()
        pace, told = Pace(), False
        while stays():
            mails = post.pulse.mails
            progress = yield from catch_up(link, progress, post)
            due = pace.next(time.monotonic(), in_vain=told and post.pulse.mails == mails)
            if due > time.monotonic():
                yield Wait(due)
            told = link.news or (yield from wait_for_news(link, [post], progress.again_at))
            if time.monotonic() >= probe_at:
                yield from probe(link, progress, post)
                probe_at = post.next_probe()
    finally:
        link.close()


def persist(posts: Sequence[Post], visit: Callable[[], Guest], crowded: Callable[[], bool] = lambda: False) -> Guest:
    """
    Let one visit of these folders' server follow the other, each after a wait that fits the end of the last.

    `crowded`: called each time the server says once more that it has too many connections of this user; whether that is
    the end.
    """
    tries = Tries(posts[0].reception.patience)
    while True:
        first = posts[0]  # of the steward's, which are others by and by
        began, mails = time.monotonic(), sum(post.pulse.mails for post in posts)
        for post in posts:
            post.pulse.state = State.CONNECTING
        try:
            yield from visit()
        except (LoginRefused, SecretUnavailable) as error:
            yield from locked_out(posts, error)
        except (MailboxLost, Superseded, FolderRefused, ServerUntrusted) as error:
            if first.party.dismissed:
                return
            connected_at = first.pulse.connected_at
            lived = time.monotonic() - connected_at if connected_at >= began else None
            tries = tries.after(error, lived, fruitful=sum(post.pulse.mails for post in posts) > mails)
            if tries.too_many and crowded():
                return
            yield Wait(time.monotonic() + tell(posts, error, tries.wait(error)))
        else:
            return


def locked_out(posts: Sequence[Post], error: LoginRefused | SecretUnavailable) -> Guest:
    """Until another try is worth it: with the same secret when its time has come, or with another one before."""
    account, reception = posts[0].account, posts[0].reception
    look = reception.patience.look_for_secret
    wait = tell(posts, error, reception.access.wait(account, error, time.monotonic()))
    yield Wait(time.monotonic() + min(wait, look))
    while not reception.access.may_open(account, time.monotonic()):
        yield Wait(time.monotonic() + look)


def tell(posts: Sequence[Post], error: WatcherError, wait: float) -> float:
    """Note a trouble for `status`, and log it once for all folders it concerns. Hands back the `wait` it told of."""
    passes = not wait or isinstance(error, MailboxLost | Superseded)
    for post in posts:
        post.pulse.state = State.WAITING if passes else State.REFUSED
        post.pulse.trouble, post.pulse.answered = str(error), True
    others = f" and {len(posts) - 1} more" if len(posts) > 1 else ""
    sooner = " or soon after the secret is changed" if not passes and isinstance(error, LoginRefused) else ""
    level = logging.WARNING if passes else logging.ERROR
    log.log(level, "%s%s: %s; next try in %.0f s%s", posts[0], others, error, wait, sooner)
    return wait
