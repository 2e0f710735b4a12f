"""Getting a link: each in its turn at the door of the host."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

from watcher.config.providers.causes import Cause
from watcher.errors import LoginHeld, LoginNeeded, LoginRefused, MailboxLost, ServerUntrusted
from watcher.imap.link import Link
from watcher.inbox.door import Door, Turn
from watcher.inbox.lounge import Wait
from watcher.inbox.post import Post

__all__ = ["enter", "enter_now", "inside", "log_in"]

AT_THE_DOOR = 5.0  #: seconds that a thread waits for its turn
#: Troubles of one mailbox, which say nothing of the others at the host: connections are counted by user, too.
OF_ONE = frozenset({Cause.QUOTA, Cause.BUSY, Cause.CONNECTIONS})


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
    with inside(door, turn):
        while not turn.granted:
            again = door.look(turn, time.monotonic())
            if not turn.granted:
                yield Wait(again, turn=turn)
        link = post.reception.access.open(post.account)
    post.reception.alerts.show(post.account, link.alerts())
    return link


def enter_now(door: Door, open_link: Callable[[], Link]) -> Link:
    """The same for a thread that can wait, but not for long. Raises MailboxLost if the host is not to be had now."""
    turn, granted = door.knock(time.monotonic()), threading.Event()
    turn.wake = granted.set
    with inside(door, turn):
        if not turn.granted:
            granted.wait(min(AT_THE_DOOR, max(0.0, door.look(turn, time.monotonic()) - time.monotonic())))
            door.look(turn, time.monotonic())
        if not turn.granted:
            raise MailboxLost("others are before us at this host, or it can't be reached at the moment")
        return open_link()


@contextmanager
def inside(door: Door, turn: Turn) -> Iterator[None]:
    """From the knock on: the turn is given back, and the door learns what came of it."""
    reached: bool | None = None
    try:
        yield
        reached = True
    except MailboxLost as error:
        reached = error.cause in OF_ONE
        raise
    except (LoginHeld, LoginNeeded):
        raise  # the host was not asked
    except (LoginRefused, ServerUntrusted):
        reached = True
        raise
    finally:
        door.leave(turn, time.monotonic(), reached=reached)
