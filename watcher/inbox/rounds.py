"""Many folders on one link: told by NOTIFY (RFC 5465) where the server can, else asked by STATUS in turn."""

import logging
import math
import time
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import replace

from watcher.errors import FolderRefused, IdleRefused
from watcher.imap.link import Link
from watcher.inbox.anchor import take_over
from watcher.inbox.idle import show, wait_for_news
from watcher.inbox.intake import Progress, catch_up
from watcher.inbox.lounge import Guest, Wait
from watcher.inbox.pace import Pace, Tries
from watcher.inbox.post import Post
from watcher.inbox.pulse import State
from watcher.inbox.watch import tell

__all__ = ["Rounds"]

log = logging.getLogger(__name__)


class Rounds:
    """What one link knows of the folders it serves, from login to loss."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.told_of: frozenset[str] = frozenset()  #: folders whose news the server announces
        self.progress: dict[str, Progress] = {}
        self.uidnext: dict[str, int | None] = {}  #: as of the last look, before its search
        self.tries: dict[str, Tries] = {}  #: of folders that are refused
        self.gone: set[str] = set()  #: folders that a pattern stood for, and that are not there any more
        self.parked: dict[str, float] = {}  #: until when they are left alone, monotonic seconds

    def go(self, posts: Mapping[str, Post], until: float, called: Callable[[], object]) -> Guest:
        """Look after these folders until a time (monotonic seconds), or until `called` away, which is soon noticed."""
        self.ask_to_be_told(posts)
        waiting: Collection[str] = posts
        pace, told = Pace(), False
        while time.monotonic() < until and not called():
            if self.link.overflowed:
                self.told_of = frozenset()
                self.ask_to_be_told(posts)
            mails = sum(post.pulse.mails for post in posts.values())
            for name in [name for name in posts if name in waiting]:
                yield from self.visit(posts[name])
            in_vain = told and sum(post.pulse.mails for post in posts.values()) == mails
            yield Wait(pace.next(time.monotonic(), in_vain=in_vain))
            waiting = self.come_meanwhile(posts, waiting)
            told = bool(waiting)
            if not waiting:
                told = yield from self.rest(list(posts.values()), until)
                waiting = (self.link.touched() & posts.keys()) | self.overdue(posts) or posts

    def ask_to_be_told(self, posts: Mapping[str, Post]) -> None:
        if not (self.link.can_notify and self.link.can_idle) or self.told_of == posts.keys():
            return
        try:
            self.link.notify(list(posts))
            self.told_of = frozenset(posts)
        except IdleRefused as error:
            self.told_of = frozenset()
            log.warning("%s: %s; its folders are asked for in turn", next(iter(posts.values())), error)

    def rest(self, posts: list[Post], until: float) -> Generator[Wait, bool, bool]:
        """Until the server announces something, or it is time for the next round; whether it did."""
        if self.told_of:
            return (yield from wait_for_news(self.link, posts, min(self.due(post.pulse.folder) for post in posts)))
        show(posts, State.POLLING)
        yield Wait(min(until, time.monotonic() + posts[0].account.poll))
        return False

    def overdue(self, posts: Collection[str]) -> set[str]:
        """Where the server tells of the others by itself, only these are asked for: the others may be hundreds."""
        return {name for name in posts if self.told_of and self.due(name) <= time.monotonic()}

    def due(self, name: str) -> float:
        """When to open it, told of or not: it was refused, or a mail brought no bytes (monotonic seconds)."""
        if name in self.parked:
            return self.parked[name]
        return self.progress[name].again_at if name in self.progress else math.inf

    def visit(self, post: Post) -> Guest:
        """Take in what is new in one folder. One that is refused is left alone for a while; the others go on."""
        name = post.pulse.folder
        if self.is_parked(post):
            return
        try:
            if self.is_unchanged(post):
                post.pulse.scanned_at, post.pulse.heard_at = time.monotonic(), self.link.heard_at
                return
            mailbox = self.link.examine(name)
            self.uidnext[name] = mailbox.uidnext
            cursor = yield from take_over(self.link, mailbox, post)
            known = self.progress.get(name)
            progress = Progress(cursor)
            if known and known.cursor.epoch == cursor.epoch:  # but what is due may have changed: by a link of its own
                progress = replace(known, cursor=cursor, again_at=0.0)
            self.progress[name] = yield from catch_up(self.link, progress, post)
            self.tries.pop(name, None)
            self.parked.pop(name, None)
        except FolderRefused as error:
            if name not in post.account.folders and name not in self.link.list_folders(name):
                self.gone.add(name)
                self.parked.pop(name, None)
                return
            tries = self.tries.get(name) or Tries(post.reception.patience)
            self.tries[name] = tries.after(error)
            self.parked[name] = time.monotonic() + tell([post], error, self.tries[name].wait(error))

    def is_parked(self, post: Post) -> bool:
        return self.parked.get(post.pulse.folder, 0.0) > time.monotonic()

    def is_unchanged(self, post: Post) -> bool:
        """By STATUS; for the folder that is open, which STATUS is not for (RFC 3501 6.3.10), by what NOOP brings."""
        name = post.pulse.folder
        if name not in self.progress or self.due(name) <= time.monotonic():
            return False
        if self.link.folder == name:
            self.link.noop()
            return not self.link.news
        if self.uidnext[name] is None:
            return False
        mailbox = self.link.status(name)
        return (mailbox.uidnext, mailbox.uidvalidity) == (self.uidnext[name], self.progress[name].cursor.uidvalidity)

    def come_meanwhile(self, posts: Mapping[str, Post], visited: Collection[str]) -> set[str]:
        """
        What NOTIFY could not tell: it is silent about the folder that is open. So that is closed first, and each that
        was visited is asked for once more.
        """
        if not self.told_of:
            return set()
        if self.link.news and self.link.folder is not None:
            return {self.link.folder}
        self.link.unselect()
        late = {name for name in visited if name in self.progress and self.may_have_changed(posts[name])}
        return late | (self.link.touched() & posts.keys())

    def may_have_changed(self, post: Post) -> bool:
        """Also if it is refused just now: what comes of that is for the next visit to say."""
        if post.pulse.folder in self.gone or self.is_parked(post):
            return False
        try:
            return not self.is_unchanged(post)
        except FolderRefused:
            return True
