"""
Watches one folder, for ever: connect, take in what is there, wait for news, and again.

Reads as one blocking loop; the lounge parks it at each `yield`.
"""

import logging
import time
from collections.abc import Callable, Generator, Sequence
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
from watcher.inbox.receive import chunks, note_unfetched, receive
from watcher.retry import delays

__all__ = ["Progress", "catch_up", "log_in", "persist", "tell", "wait_for_news", "watch"]

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
        while True:
            progress = yield from catch_up(link, progress, post)
            if not link.news:
                yield from wait_for_news(link, [post])
    finally:
        link.close()


def log_in(posts: Sequence[Post]) -> Generator[Wait, bool, Link]:
    """A link for these folders of one account, once it is our turn at the host's door."""
    post = posts[0]
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
    for post in posts:
        post.pulse.connects += 1
        post.pulse.connected_at = time.monotonic()
    return link


def catch_up(link: Link, progress: Progress, post: Post) -> Generator[Wait, bool, Progress]:
    """Fetch all that is new. Others get their turn between two FETCHes, so that one backlog delays nobody else."""
    folders, cursor, pulse = post.reception.folders, progress.cursor, post.pulse
    pulse.state = State.CATCHING_UP
    link.clear_news()
    low = look_from(cursor)
    found = link.search(low)
    wanted, audit_at = found, progress.audit_at
    if time.monotonic() >= audit_at:
        recent = link.search_since((datetime.now(UTC) - AUDITED).date())
        wanted, audit_at = [*found, *recent], time.monotonic() + post.reception.patience.audit
    lowest = max(cursor.floor_uid, min([low, *wanted]))
    todo = unseen(wanted, folders.looked_at(cursor, lowest, time.time()), lowest)
    for uids in chunks(todo, 1) if pulse.careful else chunks(todo):
        yield from may_receive(link, post)
        cursor = take_in(link, cursor, uids, post)
        pulse.mails += len(uids)
        pulse.heard_at = link.heard_at
        yield Wait(time.monotonic())
    proven, mark = prove(cursor, progress.mark, found, time.monotonic())
    if proven != cursor:
        folders.advance(proven)
    pulse.careful = False
    pulse.heard_at, pulse.scanned_at, pulse.answered, pulse.trouble = link.heard_at, time.monotonic(), True, ""
    return replace(progress, cursor=proven, mark=mark, audit_at=audit_at)


def take_in(link: Link, cursor: Cursor, uids: Sequence[int], post: Post) -> Cursor:
    """`receive`; and if it breaks the link, see to it that one bad mail can't do so for ever."""
    try:
        return receive(link, cursor, uids, post.reception, time.time())
    except MailboxLost as error:
        if post.pulse.careful:
            note_unfetched(cursor, uids[0], post.reception, str(error), time.time())
        post.pulse.careful = True
        raise


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


def wait_for_news(link: Link, posts: Sequence[Post]) -> Guest:
    """Until the server tells of something, or it is time to renew. Without IDLE: until the next poll."""
    account = posts[0].account
    if link.can_idle:
        try:
            link.start_idle()
        except IdleRefused as error:
            log.warning("%s: %s; asking every %.0f s instead", posts[0], error, account.poll)
        else:
            yield from idle(link, posts)
            return
    for post in posts:
        post.pulse.state = State.POLLING
    yield Wait(time.monotonic() + account.poll)
    link.noop()


def idle(link: Link, posts: Sequence[Post]) -> Guest:
    """One IDLE, from its start to the answer to DONE. The waiting for that answer is parked too."""
    path, patience = posts[0], posts[0].reception.patience.done
    began, asked = time.monotonic(), 0.0
    renewal = began + path.renewal()
    for post in posts:
        if post.pulse.state is not State.REFUSED:
            post.pulse.state, post.pulse.renewal = State.LIVE, renewal - began
    try:
        while not link.hear() and time.monotonic() < renewal:
            heard(link, posts)
            yield Wait(renewal, link)
        asked = time.monotonic()
        link.end_idle()
        while not link.idle_ended():
            yield Wait(deadline(asked + patience), link)
    except MailboxLost as error:
        silence = (asked or time.monotonic()) - max(began, link.heard_at)
        path.died(Loss.SILENT if asked else error.how, silence)
        raise
    path.survived()
    heard(link, posts)
    if not link.news and asked < renewal:  # the server ends IDLE by itself, some do so every time
        yield Wait(asked + path.reception.patience.idle_ended)


def heard(link: Link, posts: Sequence[Post]) -> None:
    for post in posts:
        post.pulse.heard_at = link.heard_at


def deadline(until: float) -> float:
    """The time until which DONE may stay without an answer; raises MailboxLost once it has passed."""
    if time.monotonic() >= until:
        raise MailboxLost("no answer to DONE in time: the link is dead", Loss.SILENT)
    return until
