"""Raw mail to mail folder to plan: the stage between RECEIVE and ENQUEUE, and what makes lost parts of a mail anew."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from watcher.config.accounts import Account
from watcher.config.handlers import HandlerSettings
from watcher.config.standing import Standing
from watcher.craft import Craft
from watcher.errors import SpoolFull, Unreadable
from watcher.mail.pool import UnpackPool
from watcher.mail.trust import TRUST_NOBODY, TrustPolicy
from watcher.model import Envelope, Kind, Message, Outcome, Place, Verdict, Work
from watcher.outbox.alarm import ALERT
from watcher.outbox.canary import Canaries
from watcher.outbox.own import OwnMail
from watcher.rules.route import route
from watcher.rules.sight import taken_apart
from watcher.store.ledger import Ledger
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

__all__ = ["Unpacking", "trust_policy"]

THREADS = 2  #: one waits for its mail to be taken apart while the outcome of another is written down
HESITATION = 2.0  #: seconds that one mail may hold up the others before they get another child, which takes 65 MB
NO_ROOM = 10.0  #: seconds between two tries on a full disk


class Unpacking(Craft):
    """Takes mails apart in child processes. Safe to use from many threads."""

    kind = Kind.UNPACK

    def __init__(
        self, standing: Standing, spool: Spool, ledger: Ledger, outgoing: Outgoing, canaries: Canaries
    ) -> None:
        self.standing = standing
        self.workers = max(THREADS, standing.config.watcher.unpackers)
        self.outgoing = outgoing
        self.alerts = OwnMail(ALERT, outgoing.instance)
        self.spool = spool
        self.ledger = ledger
        self.canaries = canaries
        self.pool = UnpackPool(standing.config.watcher.unpackers, standing.config.limits, HESITATION)
        self.lock = threading.Lock()
        self.busy = 0  #: mails that are taken apart now
        self.ahead = ThreadPoolExecutor(1, "unpack ahead")
        self.begun: dict[str, Future[Message]] = {}  #: the last one, by its key, until somebody picks it up
        self.mending: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self.mended: set[int] = set()

    def close(self) -> None:
        self.pool.close()
        self.ahead.shutdown()

    def begin(self, key: str, place: Place, received: datetime) -> None:
        """
        Take a mail apart while its bytes are made durable and it is entered, so that who claims it finds that done.

        It has no effect outside the mail's folder. Only while no other one is taken apart: what is claimed goes first.
        """
        with self.lock:
            if not self.busy and all(begun.done() for begun in self.begun.values()):
                self.begun = {key: self.ahead.submit(self.write, key, place, received)}

    def forget(self, key: str) -> None:
        """The folder of this mail is about to go: wait until nobody writes into it."""
        if begun := self.pick_up(key):
            begun.exception()

    def pick_up(self, key: str) -> Future[Message] | None:
        with self.lock:
            return self.begun.pop(key, None)

    def act(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
        return ((work, self.find_handlers(work)) for work in works)

    def find_handlers(self, work: Work) -> Outcome:
        """Take a mail apart, and find what the rules want done with it."""
        try:
            message = self.take_apart(work)
        except Unreadable as error:
            return Outcome(Verdict.CRASHED if error.crashed else Verdict.NEVER, str(error))
        except SpoolFull as error:
            return Outcome(Verdict.HOLD, str(error), delay=NO_ROOM)
        if self.alerts.came_back(message, work.mail, self.outgoing):
            return Outcome(Verdict.DONE, "an alert of our own: no rule is for it")
        if caught := self.canaries.catch(message, work):
            return caught
        plan = route(self.standing.config.rules, taken_apart(self.spool.folder(work.key), message, time.time()))
        steps = (replace(step, line=line_of(self.standing.handler(step.handler), message)) for step in plan.steps)
        return Outcome(Verdict.DONE, plan=replace(plan, steps=tuple(steps)))

    def take_apart(self, work: Work) -> Message:
        with self.lock:
            self.busy += 1
        try:
            begun = self.pick_up(work.key)
            return begun.result() if begun else self.write(work.key, work.place, work.received)
        finally:
            with self.lock:
                self.busy -= 1

    def write(self, key: str, place: Place, received: datetime) -> Message:
        """The parts of a mail and its facts into its folder."""
        envelope = Envelope(key, place.account, place.folder, place.uidvalidity, place.uid, received)
        account = self.standing.account(place.account)
        return self.pool.unpack(self.spool.folder(key), envelope, trust_policy(account))

    def mend(self, work: Work) -> str:
        """
        Make the parts of a mail anew if they may be lost: only its raw bytes were synced when the machine went down.

        Once for all its handlers, and before the first of them runs. Why it can't be done, in words, or "".
        """
        if self.is_whole(work):
            return ""
        with self.lock:
            mending = self.mending[work.mail]
        with mending:
            if self.is_whole(work):
                return ""
            try:
                self.take_apart(work)
            except (Unreadable, SpoolFull) as error:
                return str(error)
            self.mended.add(work.mail)
            self.ledger.unpacked(work.mail)
        return ""

    def is_whole(self, work: Work) -> bool:
        """Nothing to mend; also where the raw mail itself is gone, of which the handler's run tells."""
        folder = self.spool.folder(work.key)
        fresh = work.unpacked or work.mail in self.mended
        return (fresh and folder.facts.is_file()) or not folder.raw.is_file()


def line_of(settings: HandlerSettings, message: Message) -> str | None:
    """In which line a mail stands before a handler, as its `order` wants; None: in none."""
    match settings.order:
        case "serial":
            return ""
        case "per-sender":  # a local part may tell small letters from large ones (RFC 5321 2.4), but none does
            return message.from_[0].address.lower() if message.from_ else ""
    return None


def trust_policy(account: Account | None) -> TrustPolicy:
    """Whose word counts for the mails of an account; nobody's, if it is not in the configuration."""
    if account is None:
        return TRUST_NOBODY
    strict = account.alignment == "strict"
    return TrustPolicy(account.authserv, account.border, account.sealers, strict, account.own_dkim)
