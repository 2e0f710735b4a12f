"""Waiting for news: one IDLE after the other where the server can, else looks at intervals."""

import logging
import math
import random
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress

from watcher.errors import IdleRefused, Loss, MailboxLost
from watcher.imap.link import Link
from watcher.inbox.lounge import CLOCK_JUMP, Guest, Wait
from watcher.inbox.post import Post
from watcher.inbox.pulse import State

__all__ = ["keep_alive", "linger", "renewed_after", "show", "wait_for_news"]

log = logging.getLogger(__name__)

SOON = 0.02  #: seconds in which a server near by answers DONE: to park meanwhile would cost more than the thread

#: Parts of the interval, between which a renewal comes. Of a young link it may come sooner: all links to a server may
#: have begun together, and a renewal costs it milliseconds (a hibernated Dovecot starts a process); mail waits behind.
YOUNG, USUAL = (0.5, 0.99), (0.9, 0.99)


def wait_for_news(link: Link, posts: Sequence[Post], until: float = math.inf) -> Generator[Wait, bool, bool]:
    """
    Until the server has something to say (True), it is time to renew, or `until` (monotonic seconds). Without IDLE:
    until the next poll.
    """
    account = posts[0].account
    if link.can_idle:
        try:
            link.start_idle()
        except IdleRefused as error:
            log.warning("%s: %s; asking every %.0f s instead", posts[0], error, account.poll)
        else:
            return (yield from live(link, posts, until))
    show(posts, State.POLLING)
    yield Wait(min(until, time.monotonic() + account.poll))
    link.noop()
    return link.news


def live(link: Link, posts: Sequence[Post], until: float) -> Generator[Wait, bool, bool]:
    """One IDLE until it is time to renew it, or `until`; whether the server had something to say."""
    interval = posts[0].renewal()
    show(posts, State.LIVE)
    for post in posts:
        post.pulse.renewal = interval
    now = time.monotonic()
    renewal = now + renewed_after(interval, now - posts[0].pulse.connected_at)
    asked = yield from idle(link, posts, min(renewal, until), learning=renewal <= until)
    if asked and not link.news:  # the server ends IDLE by itself; some do so every time
        yield Wait(asked + posts[0].reception.patience.idle_ended)
    return asked > 0.0


def renewed_after(interval: float, age: float, rnd: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds of IDLE until it is renewed, on a link of this age."""
    return interval * rnd(*(YOUNG if age < interval else USUAL))


def show(posts: Sequence[Post], state: State) -> None:
    """How these folders are watched from now on; but one that is refused is not, whatever its link does."""
    for post in posts:
        if post.pulse.state is not State.REFUSED:
            post.pulse.state = state


def linger(link: Link, post: Post, seconds: float) -> Guest:
    """Wait so long, with more work at hand; if the server can tell of new mail meanwhile, until it does."""
    until, quiet = time.monotonic() + seconds, not link.news
    if quiet and link.can_idle:
        with suppress(IdleRefused):
            link.start_idle()
            yield from idle(link, [post], until)
    if not (quiet and link.news):
        yield Wait(until)
        keep_alive(link, post)


def keep_alive(link: Link, post: Post) -> None:
    """Ask a link that is not used for a sign of life."""
    if time.monotonic() - link.heard_at > post.reception.patience.quiet:
        link.noop()


def idle(link: Link, posts: Sequence[Post], until: float, *, learning: bool = False) -> Generator[Wait, bool, float]:
    """
    The rest of an IDLE, to the answer to DONE. The waiting for that answer is parked too. When it was ended since the
    server had something to say; 0 if it was time. With `learning`, what becomes of the link tells how long the path
    lets one be silent.
    """
    path, patience = posts[0], posts[0].reception.patience.done
    began, asked, offset = time.monotonic(), 0.0, time.time() - time.monotonic()
    try:
        readable = True
        while readable and not link.hear():
            heard(link, posts)
            readable = yield Wait(until, link)
        if not readable:
            link.hear()  # a server that has just ended IDLE by itself would take DONE for nonsense
        asked = time.monotonic()
        link.end_idle()
        ended = may_hurry(link, path) or link.idle_ended(within=SOON)
        while not ended:
            yield Wait(deadline(asked + patience), link)
            ended = link.idle_ended()
    except MailboxLost as error:
        silence = (asked or time.monotonic()) - max(began, link.heard_at)
        slept = abs(time.time() - time.monotonic() - offset) > CLOCK_JUMP
        if learning and not slept:  # else it would say nothing of the path
            path.died(Loss.SILENT if asked else error.how, silence)
        raise
    if learning:
        path.survived()
    heard(link, posts)
    return asked if readable else 0.0


def heard(link: Link, posts: Sequence[Post]) -> None:
    posts[0].reception.alerts.show(posts[0].account, link.alerts())
    for post in posts:
        post.pulse.heard_at = link.heard_at


def may_hurry(link: Link, post: Post) -> bool:
    """Whether to look for what the server has just told of without waiting for its answer to DONE."""
    return link.news and link.folder is not None and post.caution.hurry_at <= time.monotonic()


def deadline(until: float) -> float:
    """The time until which DONE may stay without an answer; raises MailboxLost once it has passed."""
    if time.monotonic() >= until:
        raise MailboxLost("no answer to DONE in time: the link is dead", Loss.SILENT)
    return until
