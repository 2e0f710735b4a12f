"""The steward of an account with many folders: finds them, and shares its links among them."""

import logging
import threading
import time
from collections.abc import Generator

from watcher.config.accounts import Account
from watcher.imap.link import Link
from watcher.inbox.enter import log_in
from watcher.inbox.lounge import Guest, Party, Wait
from watcher.inbox.plan import Shares
from watcher.inbox.post import Post, Reception
from watcher.inbox.pulse import Pulse, State
from watcher.inbox.rounds import Rounds
from watcher.inbox.watch import persist, watch

__all__ = ["welcome"]

log = logging.getLogger(__name__)


def welcome(account: Account, reception: Reception, party: Party, pulses: list[Pulse]) -> None:
    """Begin to watch an account, by guests of this party; `pulses` is what `status` shows."""
    if len(account.folders) == 1 and not is_pattern(account.folders[0]):
        pulse = Pulse(account.name, account.folders[0])
        pulses.append(pulse)
        party.admit(watch(Post(account, pulse, reception, party)))
    else:
        party.admit(Steward(account, reception, party, pulses).guest())


def is_pattern(name: str) -> bool:
    return not {"*", "%"}.isdisjoint(name)


class Steward:
    """Serves an account with several folders, or with patterns."""

    def __init__(self, account: Account, reception: Reception, party: Party, pulses: list[Pulse]) -> None:
        self.account = account
        self.reception = reception
        self.party = party
        self.pulses = pulses
        self.patterns = [name for name in account.folders if is_pattern(name)]
        self.posts: dict[str, Post] = {}  #: every folder found, by name; a pattern while one looks what it stands for
        most = max(1, account.profile.links // reception.sharers(account))
        self.lock = threading.Lock()  #: of the next four, which the guests of all its folders share
        self.shares = Shares(most, bears=most)
        self.present = True  #: it has a guest
        self.shared: dict[str, Post] = {}  #: folders that the steward's own link serves
        self.serving = [self.post(name) for name in account.folders]  #: whose trouble it is when that link is lost

    def guest(self) -> Guest:
        return persist(self.serving, self.attend, self.crowded)

    def post(self, name: str) -> Post:
        """Of a folder, or of a pattern; `status` shows it from the first time on."""
        if name not in self.posts:
            self.posts[name] = Post(self.account, Pulse(self.account.name, name), self.reception, self.party)
            self.pulses.append(self.posts[name].pulse)
        return self.posts[name]

    def strike(self, name: str) -> None:
        """It is not, or not there any more."""
        if name in self.posts:
            self.pulses.remove(self.posts.pop(name).pulse)

    # --- the link that is shared ------------------------------------------------------------------------------------

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
                yield from rounds.go(self.shared, until, lambda: self.shares.returned or rounds.gone)
        finally:
            link.close()
        return False

    def find(self, link: Link) -> list[str]:
        """The folders that are there now, in the order of the configuration."""
        names: dict[str, None] = {}
        for name in self.account.folders:
            names |= dict.fromkeys(sorted(link.list_folders(name)) if name in self.patterns else [name])
        return list(names)

    def assign(self, names: list[str], rounds: Rounds, *, notify: bool) -> None:
        """Share the links among the folders that are there now."""
        for pattern in self.patterns:
            self.strike(pattern)
        with self.lock:
            refused = {name for name in self.shares.own if self.posts[name].pulse.state is State.REFUSED}
            gone = (rounds.gone | refused).difference(names)
            before, regain = self.shares, self.reception.patience.regain
            self.shares = before.without(gone).regained(time.monotonic(), regain).dealt(names, notify=notify)
            promoted = [self.post(name) for name in self.shares.own if name not in before.own]
            elsewhere = {*self.shares.own, *gone}
            self.shared = {name: self.post(name) for name in [*self.shared, *names] if name not in elsewhere}
            self.serving[:] = self.shared.values()
        for post in promoted:
            self.party.admit(self.watcher(post))
        for name in gone:
            log.info("%s/%s is gone", self.account.name, name)
            self.strike(name)
        rounds.gone.clear()

    def watcher(self, post: Post) -> Guest:
        """The guest of a folder with a link of its own."""
        name = post.pulse.folder
        return watch(post, lambda: name in self.shares.own, lambda: self.crowded(name))

    def crowded(self, name: str = "") -> bool:
        """The server bears fewer links than we have: whether `name` is one of those that give theirs up."""
        with self.lock:
            before, easing = self.shares, self.reception.patience.easing
            self.shares = before.eased(name, time.monotonic(), easing=easing, steward=self.present)
            leaving = [other for other in before.own if other not in self.shares.own]
            if not leaving:
                return False
            if self.present:
                self.serving += [self.post(other) for other in leaving]
            else:
                self.come_back(leaving)
        log.warning(
            "%s: %s bears fewer connections than %d; these folders share one for some hours: %s",
            self.account.name,
            self.account.host,
            before.most,
            ", ".join(leaving),
        )
        return name in leaving

    # --- going and coming back --------------------------------------------------------------------------------------

    def may_go(self) -> bool:
        """Whether nothing is left to share; then it is gone, and comes back only to look what is new."""
        with self.lock:
            self.present = bool(self.shared or self.shares.returned)
            if self.present:
                return False
        if self.patterns:
            self.party.admit(self.look_again())
        return True

    def look_again(self) -> Guest:
        """The patterns may stand for more folders by and by, and somebody must look."""
        yield Wait(time.monotonic() + self.reception.patience.look_for_folders)
        with self.lock:
            if not self.present:
                self.come_back(self.patterns)

    def come_back(self, names: list[str]) -> None:
        self.present = True
        self.serving[:] = [self.post(name) for name in names]
        self.party.admit(self.guest())
