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
    Loss,
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

AUDITED = timedelta(days=3)  #: how far back the daily audit searches; SEARCH SINCE knows days only, and no zones


@dataclass(frozen=True, slots=True)
class Progress:
    """What one link knows of its folder."""

    cursor: Cursor
    mark: Mark | None = None
    audit_at: float = 0.0  #: monotonic seconds


def watch(post: Post) -> Guest:
    """The guest of one folder. Ends only when it is closed; an error that it raises is a bug or a failing disk."""
    pulse = post.pulse
    patience = post.reception.patience
    waits = delays(patience.first_wait, patience.longest_wait)
    refusals = 0
    while True:
        mails, started = pulse.mails, time.monotonic()
        pulse.state = State.CONNECTING
        try:
            yield from attend(post)
        except (MailboxLost, Superseded) as error:
            if pulse.mails > mails or time.monotonic() - started > patience.proven_life:
                waits = delays(patience.first_wait, patience.longest_wait)
            if pulse.connected_at >= started:
                refusals = 0
            pulse.state = State.WAITING
            wait = tell(post, logging.WARNING, error, next(waits))
        except (LoginRefused, ServerUntrusted, SecretUnavailable) as error:
            pulse.state = State.REFUSED
            wait = tell(post, logging.ERROR, error, patience.refused[min(refusals, 1)])
            refusals += 1
        except FolderRefused as error:
            pulse.state = State.REFUSED
            wait = tell(post, logging.ERROR, error, patience.parked)
        pulse.answered = True
        yield Wait(time.monotonic() + wait)


def tell(post: Post, level: int, error: WatcherError, wait: float) -> float:
    post.pulse.trouble = str(error)
    log.log(level, "%s: %s; next try in %.0f s", post, error, wait)
    return wait


def attend(post: Post) -> Guest:
    """One link, from login to loss."""
    pulse = post.pulse
    link = yield from log_in(post)
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


def log_in(post: Post) -> Generator[Wait, bool, Link]:
    """A link, once it is our turn at the host's door."""
    door = post.reception.door(post.account)
    turn = door.knock(time.monotonic())
    reached: bool | None = None
    try:
        while not turn.granted:
            again = door.look(turn, time.monotonic())
            if not turn.granted:
                yield Wait(again, turn=turn)
        link = post.reception.connect(post.account)
        reached = True
    except MailboxLost:
        reached = False
        raise
    except (LoginRefused, ServerUntrusted):
        reached = True
        raise
    finally:
        door.leave(turn, time.monotonic(), reached=reached)
    return link


def catch_up(link: Link, progress: Progress, post: Post) -> Generator[Wait, bool, Progress]:
    """Fetch all that is new. Others get their turn between two FETCHes, so that one backlog delays nobody else."""
    folders, cursor, pulse = post.reception.folders, progress.cursor, post.pulse
    link.clear_news()
    low = look_from(cursor)
    found = link.search(low)
    wanted, audit_at = found, progress.audit_at
    if time.monotonic() >= audit_at:
        recent = link.search_since((datetime.now(UTC) - AUDITED).date())
        wanted, audit_at = [*found, *recent], time.monotonic() + post.reception.patience.audit
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
    """Wait while the disk is full, loudly, or the backlog is, quietly; the link stays up."""
    pulse, reception = post.pulse, post.reception
    while reason := reception.held():
        if pulse.state is not State.HELD:
            log.error("%s: nothing is received: %s", post, reason)
        pulse.state, pulse.trouble = State.HELD, reason
        yield from pause(link, reception.patience.hold, reception.patience.quiet)
    if pulse.state is State.HELD:
        log.warning("%s: receiving again", post)
        pulse.state, pulse.trouble = State.CATCHING_UP, ""
    while reception.full():
        yield from pause(link, reception.patience.full, reception.patience.quiet)


def pause(link: Link, seconds: float, quiet: float) -> Guest:
    yield Wait(time.monotonic() + seconds)
    if time.monotonic() - link.heard_at > quiet:
        link.noop()


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


def deadline(until: float) -> float:
    """The time until which DONE may stay without an answer; raises MailboxLost once it has passed."""
    if time.monotonic() >= until:
        raise MailboxLost("no answer to DONE in time: the link is dead", Loss.SILENT)
    return until


def idle(link: Link, post: Post) -> Guest:
    """One IDLE, from its start to the answer to DONE. The waiting for that answer is parked too."""
    began, asked = time.monotonic(), 0.0
    renewal = began + post.renewal()
    patience = post.reception.patience.done
    try:
        while not link.hear() and time.monotonic() < renewal:
            post.pulse.heard_at = link.heard_at
            yield Wait(renewal, link)
        asked = time.monotonic()
        link.end_idle()
        while not link.idle_ended():
            yield Wait(deadline(asked + patience), link)
    except MailboxLost as error:
        silence = (asked or time.monotonic()) - max(began, link.heard_at)
        post.died(Loss.SILENT if asked else error.how, silence)
        raise
    post.survived()
    post.pulse.heard_at = link.heard_at
