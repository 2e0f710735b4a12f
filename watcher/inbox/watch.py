"""
Watches one folder, for ever: connect, take in what is there, wait for news, and again.

Reads as one blocking loop; the lounge parks it at each `yield`.
"""

import logging
import time
from collections.abc import Callable, Sequence

from watcher.config.providers.causes import Cause
from watcher.errors import (
    FolderRefused,
    LoginRefused,
    MailboxLost,
    SecretUnavailable,
    ServerUntrusted,
    Setback,
    Superseded,
    WatcherError,
)
from watcher.inbox.anchor import take_over
from watcher.inbox.enter import log_in, probe
from watcher.inbox.idle import wait_for_news
from watcher.inbox.intake import Progress, catch_up
from watcher.inbox.lounge import Guest, Wait
from watcher.inbox.pace import Pace
from watcher.inbox.patience import Patience
from watcher.inbox.post import Post
from watcher.inbox.pulse import State
from watcher.retry import delays

__all__ = ["pause", "persist", "tell", "watch"]

log = logging.getLogger(__name__)

GHOSTS = 3  #: times in a row that "too many connections" may mean those that we have lost and the server has not


def watch(post: Post, stays: Callable[[], bool] = lambda: True, crowded: Callable[[], bool] = lambda: False) -> Guest:
    """
    The guest of one folder. Ends when it is closed or no longer `stays`, which it asks now and then; for `crowded` see
    `persist`. An error that it raises is a bug or a failing disk.
    """
    return persist([post], lambda: attend(post, stays), crowded)


def persist(posts: Sequence[Post], visit: Callable[[], Guest], crowded: Callable[[], bool] = lambda: False) -> Guest:
    """
    Let one visit of these folders' server follow the other, each after a wait that fits the end of the last.

    `crowded`: called each time the server says once more that it has too many connections of this user; whether that is
    the end.
    """
    patience, access = posts[0].reception.patience, posts[0].reception.access
    backoff = delays(patience.first_wait, patience.longest_wait)
    refusals = turned_away = 0  #: in a row
    while True:
        first = posts[0]  # of the steward's, which are others by and by
        before, mails = first.pulse.connects, sum(post.pulse.mails for post in posts)
        for post in posts:
            post.pulse.state = State.CONNECTING
        try:
            yield from visit()
        except (MailboxLost, Superseded) as error:
            if first.pulse.dismissed:
                return
            connected = first.pulse.connects > before
            lived = time.monotonic() - first.pulse.connected_at if connected else 0.0
            if lived > patience.proven_life or sum(post.pulse.mails for post in posts) > mails:
                backoff = delays(patience.first_wait, patience.longest_wait)
            refusals = 0 if connected else refusals
            too_many = isinstance(error, MailboxLost) and error.cause == Cause.CONNECTIONS
            turned_away = turned_away + 1 if too_many else 0
            if turned_away >= GHOSTS and crowded():
                return
            wait = tell(posts, State.WAITING, error, pause(error, 0, next(backoff), patience))
            yield Wait(time.monotonic() + wait)
        except (FolderRefused, ServerUntrusted) as error:
            refusals += 1
            wait = tell(posts, State.REFUSED, error, pause(error, refusals, 0.0, patience))
            yield Wait(time.monotonic() + wait)
        except (LoginRefused, SecretUnavailable) as error:
            wait = access.wait(first.account, error, time.monotonic())
            tell(posts, State.REFUSED if wait else State.WAITING, error, wait)
            yield from locked_out(first, wait)
        else:
            return


def pause(error: WatcherError, refusals: int, backoff: float, patience: Patience) -> float:
    """Seconds until the next try; `refusals`: in a row, this one included; `backoff`: our own wait for a lost link."""
    asked = error.wait if isinstance(error, Setback) and error.wait else 0.0
    match error:
        case FolderRefused():
            return max(asked, patience.refused[min(refusals, 2) - 1])
        case ServerUntrusted():
            return patience.untrusted[min(refusals, 2) - 1]
    return max(asked, backoff)


def locked_out(post: Post, wait: float) -> Guest:
    """Until another try is worth it: with the same secret after `wait` seconds, or with another one before."""
    look = post.reception.patience.look_for_secret
    yield Wait(time.monotonic() + min(wait, look))
    while not post.reception.access.may_open(post.account, time.monotonic()):
        yield Wait(time.monotonic() + look)


def tell(posts: Sequence[Post], state: State, error: WatcherError, wait: float) -> float:
    """Note a trouble for `status`, and log it once for all folders it concerns."""
    for post in posts:
        post.pulse.state, post.pulse.trouble, post.pulse.answered = state, str(error), True
    level = logging.WARNING if state is State.WAITING else logging.ERROR
    others = f" and {len(posts) - 1} more" if len(posts) > 1 else ""
    sooner = (
        " or soon after the secret is changed" if state is State.REFUSED and isinstance(error, LoginRefused) else ""
    )
    log.log(level, "%s%s: %s; next try in %.0f s%s", posts[0], others, error, max(0.0, wait), sooner)
    return wait


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
            told = link.news or (yield from wait_for_news(link, [post]))
            if time.monotonic() >= probe_at:
                yield from probe(link, progress, post)
                probe_at = post.next_probe()
    finally:
        link.close()
