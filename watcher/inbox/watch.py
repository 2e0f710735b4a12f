"""
Watches one folder, for ever: connect, take in what is there, wait for news, and again.

Reads as one blocking loop; the lounge parks it at each `yield`.
"""

import logging
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from watcher.cursor import Cursor
from watcher.errors import (
    FolderRefused,
    IdleRefused,
    LoginRefused,
    MailboxLost,
    SecretUnavailable,
    ServerUntrusted,
    Superseded,
    WatcherError,
)
from watcher.imap.link import Link
from watcher.inbox.anchor import take_over
from watcher.inbox.catchup import Mark, look_from, prove, unseen
from watcher.inbox.lounge import Guest, Wait
from watcher.inbox.post import Post
from watcher.inbox.pulse import State
from watcher.inbox.receive import chunks, receive
from watcher.retry import delays

__all__ = ["watch"]

log = logging.getLogger(__name__)

DONE_LIMIT = 15.0  #: seconds in which the server must answer DONE; a link that does not is dead
PROVEN_LIFE = 300.0  #: seconds a link must live to count as a good one
HOLD = 2.0  #: seconds between two looks while nothing may be received
QUIET = 60.0  #: seconds after which a held link is asked for a sign of life
REFUSED = (300.0, 3600.0)  #: seconds until the second login after a refused one, and until each further one
PARKED = 900.0  #: seconds until a folder that the server refuses is tried again
AUDIT = 86400.0  #: seconds between two searches of the last days for what no other search has listed
AUDITED = timedelta(days=3)  #: how far back they go; SEARCH SINCE knows days only, and no zones


@dataclass(frozen=True, slots=True)
class Progress:
    """What one link knows of its folder."""

    cursor: Cursor
    mark: Mark | None = None
    audit_at: float = 0.0  #: monotonic seconds


def watch(post: Post) -> Guest:
    """The guest of one folder. Ends only when it is closed; an error that it raises is a bug or a failing disk."""
    pulse = post.pulse
    waits = delays()
    refusals = 0
    while True:
        mails, started = pulse.mails, time.monotonic()
        pulse.state = State.CONNECTING
        try:
            yield from attend(post)
        except (MailboxLost, Superseded) as error:
            if pulse.mails > mails or time.monotonic() - started > PROVEN_LIFE:
                waits = delays()
            if pulse.connected_at >= started:
                refusals = 0
            pulse.state = State.WAITING
            wait = tell(post, logging.WARNING, error, next(waits))
        except (LoginRefused, ServerUntrusted, SecretUnavailable) as error:
            pulse.state = State.REFUSED
            wait = tell(post, logging.ERROR, error, REFUSED[min(refusals, 1)])
            refusals += 1
        except FolderRefused as error:
            pulse.state = State.REFUSED
            wait = tell(post, logging.ERROR, error, PARKED)
        pulse.answered = True
        yield Wait(time.monotonic() + wait)


def tell(post: Post, level: int, error: WatcherError, wait: float) -> float:
    post.pulse.trouble = str(error)
    log.log(level, "%s: %s; next try in %.0f s", post, error, wait)
    return wait


def attend(post: Post) -> Guest:
    """One link, from login to loss."""
    pulse = post.pulse
    link = post.reception.connect(post.account)
    try:
        pulse.connects += 1
        pulse.connected_at = time.monotonic()
        progress = Progress(take_over(link, link.examine(pulse.folder), post))
        while True:
            pulse.state = State.CATCHING_UP
            progress = yield from catch_up(link, progress, post)
            pulse.scanned_at, pulse.answered, pulse.trouble = time.monotonic(), True, ""
            if not link.news:
                yield from wait_for_news(link, post)
    finally:
        link.close()


def catch_up(link: Link, progress: Progress, post: Post) -> Generator[Wait, bool, Progress]:
    """Fetch all that is new. Others get their turn between two FETCHes, so that one backlog delays nobody else."""
    folders, cursor, pulse = post.reception.folders, progress.cursor, post.pulse
    link.clear_news()
    low = look_from(cursor)
    found = link.search(low)
    wanted, audit_at = found, progress.audit_at
    if time.monotonic() >= audit_at:
        recent = link.search_since((datetime.now(UTC) - AUDITED).date())
        wanted, audit_at = [*found, *recent], time.monotonic() + AUDIT
    lowest = max(cursor.floor_uid, min([low, *wanted]))
    for uids in chunks(unseen(wanted, folders.looked_at(cursor, lowest, time.time()), lowest)):
        yield from may_receive(link, post)
        cursor = receive(link, cursor, uids, post.reception, time.time())
        pulse.mails += len(uids)
        pulse.heard_at = link.heard_at
        yield Wait(time.monotonic())
    proven, mark = prove(cursor, progress.mark, found, time.monotonic())
    if proven != cursor:
        folders.advance(proven)
    pulse.heard_at = link.heard_at
    return replace(progress, cursor=proven, mark=mark, audit_at=audit_at)


def may_receive(link: Link, post: Post) -> Guest:
    """Wait, loudly, while the disk or the backlog is full; the link stays up."""
    pulse = post.pulse
    while reason := post.reception.held():
        if pulse.state is not State.HELD:
            log.warning("%s: nothing is received: %s", post, reason)
        pulse.state, pulse.trouble = State.HELD, reason
        yield Wait(time.monotonic() + HOLD)
        if time.monotonic() - link.heard_at > QUIET:
            link.noop()
    if pulse.state is State.HELD:
        log.warning("%s: receiving again", post)
        pulse.state, pulse.trouble = State.CATCHING_UP, ""


def wait_for_news(link: Link, post: Post) -> Guest:
    """Until the server tells of something, or it is time to renew. Without IDLE: until the next poll."""
    pulse, account = post.pulse, post.account
    if link.can_idle:
        try:
            link.start_idle()
        except IdleRefused as error:
            log.warning("%s: %s; asking every %.0f s instead", post, error, account.poll)
        else:
            pulse.state = State.LIVE
            yield from idle(link, post)
            return
    pulse.state = State.POLLING
    yield Wait(time.monotonic() + account.poll)
    link.noop()


def idle(link: Link, post: Post) -> Guest:
    """One IDLE, from its start to the answer to DONE. The waiting for that answer is parked too."""
    renewal = time.monotonic() + post.account.renew
    while not link.hear() and time.monotonic() < renewal:
        post.pulse.heard_at = link.heard_at
        yield Wait(renewal, link)
    link.end_idle()
    deadline = time.monotonic() + DONE_LIMIT
    while not link.idle_ended():
        if time.monotonic() >= deadline:
            raise MailboxLost(f"no answer to DONE within {DONE_LIMIT:.0f} s: the link is dead")
        yield Wait(deadline, link)
    post.pulse.heard_at = link.heard_at
