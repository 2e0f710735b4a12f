"""The steward of an account with many folders: finds them, and shares its links among them."""

import logging
import math
import threading
import time
from collections.abc import Generator

from watcher.config.accounts import Account
from watcher.imap.link import Link
from watcher.inbox.enter import log_in
from watcher.inbox.lounge import Guest, Party, Wait
from watcher.inbox.plan import share
from watcher.inbox.post import Post, Reception
from watcher.inbox.pulse import Pulse, State
from watcher.inbox.rounds import Rounds
from watcher.inbox.watch import persist, watch

__all__ = ["welcome"]

log = logging.getLogger(__name__)

PATTERN = frozenset("*%")


def welcome(account: Account, reception: Reception, party: Party, pulses: list[Pulse]) -> None:
    """Begin to watch an account, by guests of this party; `pulses` is what `status` shows."""
    if len(account.folders) == 1 and not PATTERN & set(account.folders[0]):
        pulse = Pulse(account.name, account.folders[0])
        pulses.append(pulse)
        party.admit(watch(Post(account, pulse, reception, party)))
    else:
        party.admit(Steward(account, reception, party, pulses).guest())


class Steward:
    """Serves an account with several folders, or with patterns."""

    def __init__(self, account: Account, reception: Reception, party: Party, pulses: list[Pulse]) -> None:
        self.account = account
        self.reception = reception
        self.party = party
        self.pulses = pulses
        self.lock = threading.Lock()  #: of the next five, which the guests of all its folders share
        self.most = max(1, account.profile.links // reception.sharers(account))  #: connections that are ours to use
        self.bears = self.most  #: as far as we know
        self.own: list[str] = []  #: folders with a link of their own
        self.returned: list[str] = []  #: folders that have given theirs up
        self.eased_at = -math.inf  #: when that was, monotonic seconds
        self.present = True  #: it has a guest
        self.posts: dict[str, Post] = {}  #: every folder found, by name; a pattern while one looks what it stands for
        self.shared: dict[str, Post] = {}  #: those that the steward's own link serves
        self.serving: list[Post] = []  #: whose trouble it is when that link is lost
        self.serving += [self.enlist(name) for name in account.folders]

    def guest(self) -> Guest:
        return persist(self.serving, self.attend, self.crowded)

    def enlist(self, name: str) -> Post:
        post = Post(self.account, Pulse(self.account.name, name), self.reception, self.party)
        self.pulses.append(post.pulse)
        self.posts[name] = post
        return post

    def attend(self) -> Guest:
        """
        One link after the other, until one is lost or every folder has a link of its own. A fresh one shows what an old
        one may hide, and to look at each folder over both would take longer.
        """
        done = False
        while not done:
            done = yield from self.serve()

    def serve(self) -> Generator[Wait, bool, bool]:
        """One link, until it is time for a fresh one, or every folder has a link of its own: whether that is so."""
        link = yield from log_in(self.serving)
        fresh_at = self.serving[0].next_probe()
        try:
            rounds = Rounds(link)
            while time.monotonic() < fresh_at:
                self.assign(self.find(link), rounds, notify=link.can_notify and link.can_idle)
                if self.may_go():
                    return True
                until = min(fresh_at, time.monotonic() + self.reception.patience.look_for_folders)
                yield from rounds.go(self.shared, until, lambda: self.returned or rounds.gone)
        finally:
            link.close()
        return False

    def come_back(self) -> Guest:
        """The patterns may stand for more folders by and by, and somebody must look."""
        yield Wait(time.monotonic() + self.reception.patience.look_for_folders)
        with self.lock:
            if self.present:
                return
            self.present = True
            self.serving[:] = [self.enlist(name) for name in self.account.folders if PATTERN & set(name)]
        self.party.admit(self.guest())

    def find(self, link: Link) -> list[str]:
        """The folders that are there now, in the order of the configuration."""
        names: dict[str, None] = {}
        for name in self.account.folders:
            names |= dict.fromkeys(sorted(link.list_folders(name)) if PATTERN & set(name) else [name])
        return list(names)

    def assign(self, names: list[str], rounds: Rounds, *, notify: bool) -> None:
        """
        Share the links among the folders that are there now. Those that have one of their own keep it; others get one
        while the server bears more.
        """
        for pattern in [name for name in self.posts if PATTERN & set(name)]:
            self.strike(pattern)
        rounds.gone.difference_update(names)
        with self.lock:
            self.bear_more()
            for name in [name for name in self.own if name not in names and self.is_refused(name)]:
                self.own.remove(name)
                rounds.gone.add(name)
            sharing = share([*self.own, *(name for name in names if name not in self.own)], self.bears, notify=notify)
            promoted = [name for name in sharing.own if name not in self.own]
            self.own += promoted
            self.returned.clear()
            self.shared = {
                name: self.posts.get(name) or self.enlist(name)
                for name in dict.fromkeys([*self.shared, *names])
                if name not in self.own and name not in rounds.gone
            }
        for name in promoted:
            self.party.admit(self.watcher(self.posts.get(name) or self.enlist(name)))
        for name in rounds.gone & self.posts.keys():
            log.info("%s/%s is gone", self.account.name, name)
            self.strike(name)
        rounds.gone.clear()
        self.serving[:] = self.shared.values()

    def strike(self, name: str) -> None:
        """It is not, or not there any more."""
        self.pulses.remove(self.posts.pop(name).pulse)

    def is_refused(self, name: str) -> bool:
        return self.posts[name].pulse.state is State.REFUSED

    def bear_more(self) -> None:
        """What the server bears may be more again: the links of another program are gone."""
        if self.bears < self.most and self.rested(self.reception.patience.regain):
            self.bears += 1
            self.eased_at = time.monotonic()

    def rested(self, seconds: float) -> bool:
        """Whether no folder has given its link up for so long."""
        return time.monotonic() >= self.eased_at + seconds

    def watcher(self, post: Post) -> Guest:
        """The guest of a folder with a link of its own."""
        name = post.pulse.folder
        return watch(post, lambda: name in self.own, lambda: self.crowded(name))

    def may_go(self) -> bool:
        """Whether nothing is left to share; then it is gone, and comes back only to look what is new."""
        with self.lock:
            self.present = bool(self.shared or self.returned)
            if self.present:
                return False
        if any(PATTERN & set(name) for name in self.account.folders):
            self.party.admit(self.come_back())
        return True

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
            elif not self.rested(self.reception.patience.easing):
                return False  # those that leave have not all left
            if staying and not (leaving and self.present):
                leaving.append(staying[-1])
            if not leaving:
                return False
            self.eased_at = time.monotonic()
            self.own = [other for other in self.own if other not in leaving]
            self.bears = len(self.own) + 2  # the steward's, and the one that is kept free
            self.returned += leaving
            if not self.present:
                self.present = True
                self.serving[:] = [self.posts[other] for other in leaving]
                self.party.admit(self.guest())
        log.warning(
            "%s: %s bears fewer connections than %d; these folders share one for some hours: %s",
            self.account.name,
            self.account.host,
            self.most,
            ", ".join(leaving),
        )
        return name in leaving
