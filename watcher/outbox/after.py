"""
After-actions: what the rules want changed on the server once the handlers are through.

Done on links of their own, never on those that watch, and kept a little while, since some providers count logins.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from watcher.craft import Craft, Lot
from watcher.errors import (
    ActionRefused,
    FolderRefused,
    LoginRefused,
    MailboxLost,
    SecretUnavailable,
    ServerUntrusted,
)
from watcher.imap.link import Link, Mailbox
from watcher.model import Kind, Outcome, Verb, Verdict, Work

__all__ = ["After"]

#: The first waits a quarter of a second for others: to open a folder costs as much as to change fifty mails in it.
TOGETHER = Lot(100, 0.25, one_folder=True)
LINGER = 30.0  #: seconds that an unused link is kept
PROOF = 5.0  #: seconds in which it must prove that it lives; a new one costs less than to wait on a dead one
AGAIN = 10.0  #: seconds that an account is left alone when it could not be reached
KEPT = 8  #: links at most, so that a burst over many accounts does not double the links to their servers


class After(Craft):
    """Does the work of one account and folder at a time; one that can't be reached is left alone for a while."""

    kind = Kind.AFTER
    workers = 4  #: accounts at once

    def __init__(self, connect: Callable[[str], Link], paused: Callable[[str], bool]) -> None:
        """Both take an account's name; `paused`: whether it is to be left alone."""
        self.connect = connect
        self.paused = paused
        self.together = TOGETHER
        self.lock = threading.Lock()
        self.idle: dict[str, tuple[Link, float]] = {}  #: kept links, and since when

    def lane(self, work: Work) -> str:
        return work.place.account

    def limit(self, lane: str) -> int:
        return 0 if self.paused(lane) else 1

    def lot(self, _: str) -> Lot:
        return self.together

    def hurry(self) -> None:
        """The daemon ends: what is due waits for no more, since that could only be at the next start."""
        self.together = replace(TOGETHER, wait=0.0)

    def act(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
        """All of `works` lie in one folder; each gets its outcome. Never raises for what the server says."""
        account, folder = works[0].place.account, works[0].place.folder
        done: set[int] = set()
        try:
            link = self.take(account)
            try:
                for work, outcome in settle(link, link.select(folder), works):
                    done.add(work.id)
                    yield work, outcome
            except FolderRefused:
                self.keep(account, link)
                raise
            except BaseException:
                link.close()
                raise
            self.keep(account, link)
        except FolderRefused as error:
            yield from ((work, Outcome(Verdict.LATER, str(error))) for work in works if work.id not in done)
        except (MailboxLost, LoginRefused, SecretUnavailable, ServerUntrusted) as error:
            wait = max(AGAIN, error.wait or 0.0)
            yield from ((w, Outcome(Verdict.HOLD, str(error), delay=wait)) for w in works if w.id not in done)

    def take(self, account: str) -> Link:
        """The kept link if it still answers, else a new one."""
        with self.lock:
            kept = self.idle.pop(account, None)
        if kept:
            with contextlib.suppress(MailboxLost):
                kept[0].noop(PROOF)
                return kept[0]
            kept[0].close()
        return self.connect(account)

    def keep(self, account: str, link: Link) -> None:
        with self.lock:
            self.idle[account] = (link, time.monotonic())
            spare = [min(self.idle, key=lambda name: self.idle[name][1])] if len(self.idle) > KEPT else []
            links = [self.idle.pop(name)[0] for name in spare]
        for each in links:
            each.logout()

    def rest(self) -> None:
        """End the links that nobody needs."""
        with self.lock:
            unused = [name for name, (_, since) in self.idle.items() if time.monotonic() - since > LINGER]
            links = [self.idle.pop(name)[0] for name in unused]
        for link in links:
            link.logout()

    def close(self) -> None:
        with self.lock:
            links = [self.idle.pop(name)[0] for name in list(self.idle)]
        for link in links:
            link.logout()


def settle(link: Link, mailbox: Mailbox, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
    """What becomes of each work in the folder that is open."""
    for (name, target), group in groupby(works, key=lambda work: (work.name, work.target)):
        here = list(group)
        for work in [work for work in here if not is_same(work.place.uidvalidity, mailbox.uidvalidity)]:
            here.remove(work)
            yield work, elsewhere(work)
        present = link.present(sorted({work.place.uid for work in here})) if here else set()
        for work in [work for work in here if work.place.uid not in present]:
            here.remove(work)
            yield work, Outcome(Verdict.GONE, "the mail is no longer in this folder")
        yield from perform(link, Verb(name), target, here)


def is_same(ours: int, theirs: int) -> bool:
    """Whether UIDs mean the same; a server that tells no UIDVALIDITY (0) says nothing against it."""
    return ours >= 0 and (ours == theirs or 0 in {ours, theirs})


def elsewhere(work: Work) -> Outcome:
    """The folder was made anew. Where the mail lies now is known once its watcher has looked, or never."""
    if work.place.uidvalidity < 0:
        return Outcome(Verdict.GONE, "the folder was made anew without this mail")
    return Outcome(Verdict.LATER, "the folder was made anew, and its watcher has not looked yet")


def perform(link: Link, verb: Verb, target: str, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
    """One command for all; if it is refused, one for each: it may be for one of them only (RFC 2180 4.1.2)."""
    if not works:
        return
    uids = sorted({work.place.uid for work in works})
    try:
        change(link, verb, target, uids)
    except ActionRefused as error:
        if len(uids) > 1:
            for work in works:
                yield from perform(link, verb, target, [work])
        else:
            yield from ((work, Outcome(Verdict.NEVER, str(error))) for work in works)
    else:
        yield from ((work, Outcome(Verdict.DONE)) for work in works)


def change(link: Link, verb: Verb, target: str, uids: list[int]) -> None:
    match verb:
        case Verb.SEEN:
            link.seen(uids)
        case Verb.FLAG:
            link.flag(uids, target)
        case Verb.MOVE:
            move(link, uids, target)
        case Verb.DELETE:
            link.delete(uids)


def move(link: Link, uids: list[int], target: str) -> None:
    """A folder that is not there yet is made: the user has named it (RFC 3501 6.4.7, TRYCREATE)."""
    try:
        link.move(uids, target)
    except ActionRefused as error:
        if error.code != "TRYCREATE":
            raise
        link.create(target)
        link.move(uids, target)
