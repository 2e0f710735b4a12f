"""
After-actions: what the rules want changed on the server once the handlers are through.

Done on links of their own, never on those that watch, and kept a little while, since some providers count logins.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from watcher.errors import (
    ActionRefused,
    FolderRefused,
    LoginRefused,
    MailboxLost,
    SecretUnavailable,
    ServerUntrusted,
)
from watcher.imap.link import Link
from watcher.model import Outcome, Verb, Verdict, Work

__all__ = ["After"]

LINGER = 30.0  #: seconds that an unused link is kept
KEPT = 8  #: links at most, so that a burst over many accounts does not double the links to their servers


class After:
    """Does the work of one account and folder at a time. Used by one thread. `connect` takes an account's name."""

    def __init__(self, connect: Callable[[str], Link]) -> None:
        self.connect = connect
        self.links: dict[str, tuple[Link, float]] = {}

    def act(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
        """All of `works` lie in one folder; each gets its outcome. Never raises for what the server says."""
        account, folder = works[0].place.account, works[0].place.folder
        done: set[int] = set()
        try:
            link = self.link(account)
            mailbox = link.select(folder)
            for (name, target), group in groupby(works, key=lambda work: (work.name, work.target)):
                same = list(group)
                valid = [work for work in same if work.place.uidvalidity in {mailbox.uidvalidity, 0}]
                present = link.present([work.place.uid for work in valid]) if valid else set()
                uids = sorted({work.place.uid for work in valid if work.place.uid in present})
                outcome = perform(link, Verb(name), target, uids) if uids else Outcome(Verdict.DONE)
                for work in same:
                    done.add(work.id)
                    here = work.place.uid in uids
                    yield work, outcome if here else Outcome(Verdict.GONE, "the mail is no longer in this folder")
            self.links[account] = (link, time.monotonic())
        except FolderRefused as error:
            yield from ((work, Outcome(Verdict.GONE, str(error))) for work in works if work.id not in done)
        except (MailboxLost, LoginRefused, SecretUnavailable, ServerUntrusted) as error:
            self.drop(account)
            yield from ((work, Outcome(Verdict.LATER, str(error))) for work in works if work.id not in done)

    def link(self, account: str) -> Link:
        """The kept link if it still answers, else a new one."""
        if account in self.links:
            link, _ = self.links[account]
            with contextlib.suppress(MailboxLost):
                link.noop()
                return link
            self.drop(account)
        if len(self.links) >= KEPT:
            self.end(min(self.links, key=lambda name: self.links[name][1]))
        link = self.connect(account)
        self.links[account] = (link, time.monotonic())
        return link

    def rest(self) -> None:
        """Called from time to time: ends the links that nobody needs."""
        unused = [name for name, (_, used) in self.links.items() if time.monotonic() - used > LINGER]
        for account in unused:
            self.end(account)

    def end(self, account: str) -> None:
        self.links.pop(account)[0].logout()

    def drop(self, account: str) -> None:
        if account in self.links:
            self.links.pop(account)[0].close()

    def close(self) -> None:
        for account in list(self.links):
            self.end(account)


def perform(link: Link, verb: Verb, target: str, uids: list[int]) -> Outcome:
    try:
        match verb:
            case Verb.SEEN:
                link.seen(uids)
            case Verb.FLAG:
                link.flag(uids, target)
            case Verb.MOVE:
                move(link, uids, target)
            case Verb.DELETE:
                link.delete(uids)
    except ActionRefused as error:
        return Outcome(Verdict.NEVER, str(error))
    return Outcome(Verdict.DONE)


def move(link: Link, uids: list[int], target: str) -> None:
    """A folder that is not there yet is made: the user has named it (RFC 3501 6.4.7, TRYCREATE)."""
    try:
        link.move(uids, target)
    except ActionRefused as error:
        if error.code != "TRYCREATE":
            raise
        link.create(target)
        link.move(uids, target)
