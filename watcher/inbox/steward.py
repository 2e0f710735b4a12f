"""The steward of an account with many folders: finds them, and shares its links among them."""

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
        self.posts: dict[str, Post] = {}  #: every folder found, by name
        self.shared: dict[str, Post] = {}  #: those that the steward's own link serves
        self.serving: list[Post] = []  #: whose trouble it is when that link is lost
        for name in account.folders:  # patterns too, until it is known what they stand for
            self.serving.append(self.enlist(name))

    def guest(self) -> Guest:
        return persist(self.serving, self.attend)

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
                if not self.shared:
                    return
                yield from rounds.go(self.shared, time.monotonic() + self.reception.patience.look_for_folders)
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
        fresh = [name for name in names if name not in self.shared]
        if not self.shared:
            sharing = share(names, self.account.profile.links, notify=notify)
            fresh = list(sharing.shared)
            for name in sharing.own:
                self.admit(watch(self.posts.get(name) or self.enlist(name)))
        for name in fresh:
            self.shared[name] = self.posts.get(name) or self.enlist(name)
        self.serving[:] = self.shared.values()
