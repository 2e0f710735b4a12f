"""The steward of an account with many folders: finds them, and shares its links among them."""

import logging
import math
import threading
import time
from collections.abc import Callable

from watcher.config.accounts import Account
from watcher.imap.link import Link
from watcher.inbox.enter import log_in
from watcher.inbox.lounge import Guest
from watcher.inbox.plan import share
from watcher.inbox.post import Post, Reception
from watcher.inbox.pulse import Pulse
from watcher.inbox.rounds import Rounds
from watcher.inbox.watch import persist, watch

__all__ = ["welcome"]

log = logging.getLogger(__name__)

PATTERN = frozenset("*%")


def welcome(account: Account, reception: Reception, admit: Callable[[Guest], None], pulses: list[Pulse]) -> None:
    """Begin to watch an account. `admit` lets guests into the lounge; `pulses` is what `status` shows."""
    if len(account.folders) == 1 and not PATTERN & set(account.folders[0]):
        pulse = Pulse(account.name, account.folders[0])
        pulses.append(pulse)
        admit(watch(Post(account, pulse, reception)))
    else:
        admit(Steward(account, reception, admit, pulses).guest())


class Steward:
    """Serves an account with several folders, or with patterns."""

    def __init__(
        self, account: Account, reception: Reception, admit: Callable[[Guest], None], pulses: list[Pulse]
    ) -> None:
        self.account = account
        self.reception = reception
        self.admit = admit
        self.pulses = pulses
        self.lock = threading.Lock()  #: of the next four, which the guests of all its folders share
        self.own: list[str] = []  #: folders with a link of their own
        self.returned: list[str] = []  #: folders that have given theirs up
        self.eased_at = -math.inf  #: when that was, monotonic seconds
        self.present = True  #: it has a guest
        self.posts: dict[str, Post] = {}  #: every folder found, by name
        self.shared: dict[str, Post] = {}  #: those that the steward's own link serves
        self.serving: list[Post] = []  #: whose trouble it is when that link is lost
        for name in account.folders:  # patterns too, until it is known what they stand for
            self.serving.append(self.enlist(name))

    def guest(self) -> Guest:
        return persist(self.serving, self.attend, self.crowded)

    def enlist(self, name: str) -> Post:
        post = Post(self.account, Pulse(self.account.name, name), self.reception)
        self.pulses.append(post.pulse)
        self.posts[name] = post
        return post

    def attend(self) -> Guest:
        """One link, from login to loss; or until every folder has a link of its own and none can be added."""
        link = yield from log_in(self.serving)
        try:
            rounds = Rounds(link)
            while True:
                self.assign(self.find(link), notify=link.can_notify and link.can_idle)
                if self.may_go():
                    return
                until = time.monotonic() + self.reception.patience.look_for_folders
                yield from rounds.go(self.shared, until, lambda: self.returned)
        finally:
            link.close()

    def find(self, link: Link) -> list[str]:
        """The folders that are there now, in the order of the configuration."""
        names: dict[str, None] = {}
        for name in self.account.folders:
            names |= dict.fromkeys(sorted(link.list_folders(name)) if PATTERN & set(name) else [name])
        return list(names)

    def assign(self, names: list[str], *, notify: bool) -> None:
        """Folders that have a link of their own keep it; new ones come to the steward's once that is in use."""
        for pattern in [name for name in self.posts if PATTERN & set(name)]:
            self.pulses.remove(self.posts.pop(pattern).pulse)
        with self.lock:
            fresh = [name for name in names if name not in self.shared and name not in self.own]
            if not self.shared and not self.own and not self.returned:
                sharing = share(names, self.account.profile.links, notify=notify)
                fresh, self.own = list(sharing.shared), list(sharing.own)
                for name in sharing.own:
                    self.admit(self.watcher(self.posts.get(name) or self.enlist(name)))
            self.returned.clear()
            for name in fresh:
                self.shared[name] = self.posts.get(name) or self.enlist(name)
        self.serving[:] = self.shared.values()

    def watcher(self, post: Post) -> Guest:
        """The guest of a folder with a link of its own."""
        name = post.pulse.folder
        return watch(post, lambda: name in self.own, lambda: self.crowded(name))

    def may_go(self) -> bool:
        """Whether nothing is left to share; then it is gone."""
        with self.lock:
            self.present = bool(self.shared or self.returned)
            return not self.present

    def crowded(self, name: str = "") -> bool:
        """
        The server bears fewer links than we have: the folder `name` gives its own up, or the last one if it is the
        steward who was turned away; so does one more if there is no steward, who takes that place. Whether `name` is
        one of these.
        """
        with self.lock:
            leaving, staying = [], [other for other in self.own if other != name]
            if name in self.own:
                leaving.append(name)
            elif time.monotonic() < self.eased_at + self.reception.patience.easing:
                return False  # those that leave have not all left
            if staying and not (leaving and self.present):
                leaving.append(staying[-1])
            if not leaving:
                return False
            self.eased_at = time.monotonic()
            self.own = [other for other in self.own if other not in leaving]
            self.returned += leaving
            if not self.present:
                self.present = True
                self.serving[:] = [self.posts[other] for other in leaving]
                self.admit(self.guest())
        log.warning(
            "%s: %s bears fewer connections than %d; these folders share one from now on, until the next start: %s",
            self.account.name,
            self.account.host,
            self.account.profile.links,
            ", ".join(leaving),
        )
        return name in leaving
