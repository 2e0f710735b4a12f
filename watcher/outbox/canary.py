"""
Canaries: an account that wants it gets a mail of ours every so often, which is to come in as any mail does. So one who
only reads `status` knows that relay, delivery, link, spool and ledger work together, also where nobody writes for days.

A canary is known by its key, which stands in the ledger; the rest of the mark that it bears is seen by many, and proves
nothing. No rule is for it, and it is deleted on the server.
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from watcher.config.accounts import Account
from watcher.config.patterns import Pattern
from watcher.config.rules import Condition, Rule
from watcher.config.settings import Config
from watcher.config.standing import Standing
from watcher.errors import MailRefused, SpoolFull
from watcher.model import OPEN, Action, Address, Message, Outcome, Plan, Verb, Verdict, Work
from watcher.outbox.compose import LOOP
from watcher.outbox.own import OwnMail
from watcher.store.outgoing import Flight, Outgoing
from watcher.store.spool import Spool

__all__ = ["LATE", "Canaries", "Song"]

log = logging.getLogger(__name__)

CANARY = "(canary)"  #: author of the letters; no handler is called so
SUBJECT = "imap-watcher looks whether mail comes in"
TEXT = "This mail of imap-watcher to itself (canary) is deleted as soon as it is seen.\n"
LATE = 900.0  #: seconds after which one that has not come in is missed
SOMEWHERE = "the relay took it or gave it up: see imap-watcher outbox list, the spam folder, and status"
REMOVED = Outcome(
    Verdict.DONE, "a canary of ours: no rule is for it, and it is deleted", plan=Plan(then=(Action(Verb.DELETE),))
)


@dataclass(frozen=True, slots=True)
class Song:
    """What the canaries of one account tell."""

    account: str
    came_at: float | None  #: when the last one came in, seconds since 1970
    took: float | None  #: seconds from its being posted until then
    missing: str  #: why one that should be here is missed, in words; "" if none is


class Canaries:
    """Sends them in the main thread; all else may be asked from any."""

    def __init__(self, standing: Standing, outgoing: Outgoing, spool: Spool, paused: Callable[[str], bool]) -> None:
        """`paused`: whether an account is not to be watched."""
        self.standing = standing
        self.outgoing = outgoing
        self.spool = spool
        self.paused = paused
        self.own = OwnMail(CANARY, outgoing.instance)
        self.known: tuple[Config, Sequence[Rule]] | None = None
        self.songs: dict[str, Song] = {}  #: replaced, never changed
        self.since: dict[str, float] = {}  #: since when an account is looked after without a break
        self.missed: set[str] = set()  #: accounts of which people know that a canary is missing

    # --- out --------------------------------------------------------------------------------------------------------

    def look(self, now: float) -> bool:
        """Send those that are due, and tell of those that are missing; whether there is anything to be sent."""
        wanted = {account.name: account for account in self.standing.config.accounts if account.canary}
        there = [account for name, account in wanted.items() if not self.paused(name)]
        self.since = {account.name: self.since.get(account.name, now) for account in there}
        sent = [self.look_after(account, now) for account in there]
        self.songs = {name: song for name, song in self.songs.items() if name in self.since}
        self.missed &= self.songs.keys()
        return any(sent)

    def look_after(self, account: Account, now: float) -> bool:
        assert account.canary
        flights = self.outgoing.flights(account.name, CANARY, now)
        song = sung(account.name, flights, self.since[account.name], now)
        self.songs = {**self.songs, account.name: song}
        if song.missing and account.name not in self.missed:
            self.missed.add(account.name)
            log.error("%s: the canary is missing: %s", account.name, song.missing)
        elif not song.missing and account.name in self.missed:
            self.missed.remove(account.name)
            log.warning("%s: the canary has come in again", account.name)
        last = flights[0] if flights else None
        if last and (last.status in OPEN or now - last.sent_at < account.canary):
            return False
        return self.send(account, now)

    def send(self, account: Account, now: float) -> bool:
        relay = self.standing.relay(account.name)
        assert relay is not None, "each account has one"
        sender = relay.sender or Address("", account.address)
        try:
            posting = self.own.write(self.spool, relay.name, sender, (account.address,), subject=SUBJECT, text=TEXT)
            self.outgoing.post(posting, now)
        except (MailRefused, SpoolFull) as error:
            log.warning("%s: no canary can be sent: %s", account.name, error)
            return False
        return True

    def all_songs(self) -> Sequence[Song]:
        """What is known of each account that has canaries."""
        return [song for _, song in sorted(self.songs.items())]

    # --- and in -----------------------------------------------------------------------------------------------------

    def rules(self) -> Sequence[Rule]:
        """Those in force, with one more for canaries: for who decides by rules which mails need not be fetched."""
        config = self.standing.config
        if self.known is None or self.known[0] is not config:
            self.known = (config, with_canaries(config, self.own.mark))
        return self.known[1]

    def catch(self, message: Message, work: Work) -> Outcome | None:
        """What becomes of a mail that came in if it is a canary of ours; else None."""
        if not self.own.came_back(message, work.mail, self.outgoing):
            return None
        name, now = work.place.account, time.time()
        self.songs = {**self.songs, name: sung(name, self.outgoing.flights(name, CANARY, now), now, now)}
        return REMOVED


def sung(account: str, flights: Sequence[Flight], since: float, now: float) -> Song:
    """What the last flights tell, the newest first; none is missed before it had its time after `since`. Pure."""
    came = next((flight for flight in flights if flight.back_at is not None), None)
    out = flights[: flights.index(came)] if came else flights
    missing = ""
    if out and now - max(out[-1].sent_at, since) > LATE:
        taken = any(flight.status not in OPEN for flight in out)
        where = SOMEWHERE if taken else "its relay has not taken it yet, see imap-watcher outbox list"
        missing = f"it was sent {(now - out[-1].sent_at) / 60:.0f} minutes ago; {where}"
    if came is None or came.back_at is None:
        return Song(account, None, None, missing)
    return Song(account, came.back_at, max(0.0, came.back_at - came.sent_at), missing)


def with_canaries(config: Config, mark: str) -> Sequence[Rule]:
    accounts = tuple(exactly(account.name) for account in config.accounts if account.canary)
    if not config.rules or not accounts:  # without rules, every mail is fetched anyway
        return config.rules
    ours = Condition(account=accounts, header={LOOP: (Pattern(f"^{re.escape(mark)};", regex=True),)})
    return (Rule(name="(canary)", when=ours), *config.rules)


def exactly(text: str) -> Pattern:
    return Pattern(f"^{re.escape(text)}$", regex=True)
