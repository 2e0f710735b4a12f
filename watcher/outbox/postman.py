"""
Takes letters from the ledger to their relay: one at a time for each relay, many over one connection.

What a relay says of itself (login, rate, allowance) holds all its mail, what it says of a letter that letter alone.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from watcher.config.secret import Secret
from watcher.config.smtp import Relay
from watcher.craft import Craft, Lot
from watcher.errors import LoginRefused, MailboxLost, SecretUnavailable, ServerUntrusted, WatcherError
from watcher.mail.signing import signature
from watcher.model import Kind, Outcome, Verdict, Work
from watcher.outbox.parcel import Parcel
from watcher.outbox.send import USUAL, Patience, Refused, Session
from watcher.outbox.signals import Trouble
from watcher.outbox.talk import Talk
from watcher.outbox.wire import Cut
from watcher.store.outgoing import TWICE, Outgoing
from watcher.store.spool import Spool

__all__ = ["Postman"]

TOGETHER = Lot(20)  #: recipients
LINGER = 15.0  #: seconds that an unused connection is kept
ALONE = 60.0  #: seconds that a relay is left alone which broke off
LOOK = 600.0  #: seconds between looks whether a refused password has changed
SHOWN = 6 * 3600.0  #: seconds after which a refused secret is shown once more
MISSING = 300.0  #: seconds between looks for what a person must mend
DAY, MINUTE = 86400.0, 60.0
BURST = 100  #: mails over one connection


@dataclass(slots=True)
class Line:
    """What is known of one relay between two lots."""

    session: Session | None = None
    busy: bool = False  #: a letter is on its way over it
    used_at: float = 0.0  #: monotonic
    mails: int = 0  #: over this connection
    sent: list[float] = field(default_factory=list)  #: when mails went out in the last minute
    way: str = ""  #: the mechanism by which we got in
    refused: tuple[Secret, float, str] | None = None  #: a secret, when it was shown, and what was said


class Halt(WatcherError):
    """
    The relay is not to be used for `wait` seconds; its mail waits.

    `foreseen`: by a limit that we keep by ourselves, `rate` or `daily`.
    """

    def __init__(self, text: str, wait: float, *, foreseen: bool = False) -> None:
        super().__init__(text)
        self.wait = wait
        self.foreseen = foreseen

    @property
    def outcome(self) -> Outcome:
        """Of all mail that waits for it."""
        return Outcome(Verdict.HOLD, str(self), delay=self.wait, foreseen=self.foreseen)


class LetterLost(WatcherError):
    """The bytes of a letter are not there any more."""


class Postman(Craft):
    """Does the work of one relay at a time; different relays may be served by different threads."""

    kind = Kind.SEND
    workers = 4  #: relays at once

    def __init__(
        self,
        relay: Callable[[str], Relay | None],
        outgoing: Outgoing,
        spool: Spool,
        patience: Patience = USUAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`relay` finds one by name."""
        self.relay = relay
        self.outgoing = outgoing
        self.spool = spool
        self.patience = patience
        self.clock = clock
        self.lock = threading.Lock()
        self.lines: dict[str, Line] = {}
        self.over = False  #: `abort` was called

    def lane(self, work: Work) -> str:
        return work.place.account

    def limit(self, _: str) -> int:
        return 1

    def lot(self, _: str) -> Lot:
        return TOGETHER

    def act(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
        """All of `works` are for one relay; each gets its outcome. Never raises for what a server says."""
        halt: Halt | None = None
        name = works[0].place.account if works else ""
        left = self.left(name)  # before the lot: what comes of it is written down while it goes on
        for _, group in groupby(works, key=lambda work: work.mail):
            recipients = list(group)
            fit = recipients[:left] if halt is None else []
            if fit:
                outcomes, halt = self.send(fit)
                left -= sum(one.verdict is Verdict.DONE for one in outcomes)
                yield from zip(fit, outcomes, strict=True)
            if beyond := recipients[len(fit) :]:
                halt = halt or Halt(f"{name}: its recipients of a day are used up (daily)", LOOK, foreseen=True)
                yield from ((work, halt.outcome) for work in beyond)

    def left(self, name: str) -> int:
        """How many recipients the relay may still have today."""
        relay = self.relay(name)
        if relay is None or not relay.daily:
            return sys.maxsize
        return max(0, relay.daily - self.outgoing.taken_between(name, (now := self.clock()) - DAY, now))

    def send(self, works: Sequence[Work]) -> tuple[list[Outcome], Halt | None]:
        """One letter; what became of it for each recipient, and whether the relay is to be left alone."""
        talk, name = Talk(), works[0].place.account
        line = self.take(name)
        halt: Halt | None = None
        try:
            relay = self.ready(name, line)
            known = self.hand_over(relay, line, works, talk)
            outcomes = [outcome(work, known[work.target], talk) for work in works]
        except Halt as found:
            return [found.outcome] * len(works), found
        except (Refused, Cut, MailboxLost, ServerUntrusted, SecretUnavailable, LoginRefused, LetterLost) as error:
            answered = line.session.answered if line.session else {}
            outcomes = [outcome(work, answered.get(work.target) or error, talk) for work in works]
            halt = consequence(error)
            self.part(line, error)
        finally:
            line.busy = False
        held = [one for one in outcomes if one.verdict is Verdict.HOLD]
        if held and halt is None:
            halt = Halt(held[0].reason, held[0].delay or ALONE)
        return outcomes, halt

    def ready(self, name: str, line: Line) -> Relay:
        """The relay, if it may be used now. Raises Halt, SecretUnavailable, LoginRefused."""
        relay = self.relay(name)
        if relay is None:
            raise Halt(f"there is no relay {name} in the configuration any more: [smtp.{name}]", MISSING)
        now = self.clock()
        line.sent = [at for at in line.sent if now - MINUTE < at <= now]  # the clock may have been set back
        if relay.rate and len(line.sent) >= relay.rate:
            raise Halt(f"{name}: {relay.rate} mails a minute (rate)", line.sent[0] + MINUTE - now, foreseen=True)
        if line.refused and relay.source is not None:
            secret, shown_at, why = line.refused
            if 0 <= now - shown_at < SHOWN and relay.source.fetch() == secret:
                raise Halt(f"{why} (not tried again until it changes)", LOOK)
        return relay

    def hand_over(self, relay: Relay, line: Line, works: Sequence[Work], talk: Talk) -> dict[str, Refused | None]:
        letter = self.outgoing.letter(works[0].mail)
        file = self.spool.folder(works[0].key).raw
        if not file.is_file():
            raise LetterLost(f"the mail is not in the spool any more: {file}")
        prefix = signature(file.read_bytes(), letter.sender, relay.dkim) if relay.dkim else b""
        session = self.session(relay, line, talk)
        line.sent.append(self.clock())
        line.mails += 1

        def past() -> None:
            self.outgoing.mark([work for work in works if session.answered.get(work.target) is None])

        parcel = Parcel(letter.sender, tuple(work.target for work in works), file, prefix)
        answered = session.deliver(parcel, past)
        line.used_at = time.monotonic()
        return answered

    # --- connections ------------------------------------------------------------------------------------------------

    def take(self, name: str) -> Line:
        """The line to a relay; until it is no longer `busy` nobody else ends its connection."""
        with self.lock:
            line = self.lines.setdefault(name, Line())
            line.busy = True
        if line.session:
            line.session.answered = {}
        return line

    def session(self, relay: Relay, line: Line, talk: Talk) -> Session:
        """The kept connection if it still answers, else a new one."""
        kept = line.session
        if kept and kept.relay == relay and line.mails < BURST:
            kept.resume(talk)
            if kept.alive():
                return kept
        if kept:
            kept.close()
        line.mails = 0
        with self.lock:
            if self.over:
                raise Cut(f"{relay.name}: given up, as the end was asked for")
            line.session = session = Session(relay, talk, self.patience, line.way)
        try:
            session.open()
        except Refused as refusal:
            if refusal.signal.refuses_secret and session.secret:
                line.refused = (session.secret, self.clock(), str(refusal))
            raise
        line.refused, line.way = None, session.way
        return session

    def part(self, line: Line, error: WatcherError) -> None:
        """After what went wrong: keep the connection only if the server goes on talking on it."""
        if not line.session or isinstance(error, LetterLost):
            return
        if isinstance(error, Refused) and not error.signal.of_relay and line.session.alive():
            return
        line.session.close()
        line.session = None

    def rest(self) -> None:
        """End the connections that nobody needs."""
        with self.lock:
            now = time.monotonic()
            unused = [line for line in self.lines.values() if not line.busy and now - line.used_at > LINGER]
            sessions = [line.session for line in unused if line.session]
            for line in unused:
                line.session = None
        for session in sessions:
            session.close()

    def abort(self) -> None:
        """Cut what is being sent; what was not answered is tried again at the next start."""
        with self.lock:
            self.over = True
            sessions = [line.session for line in self.lines.values() if line.session]
        for session in sessions:
            session.abort()

    def close(self) -> None:
        """End all connections."""
        with self.lock:
            sessions = [line.session for line in self.lines.values() if line.session]
            self.lines.clear()
        for session in sessions:
            session.close()


def outcome(work: Work, error: WatcherError | None, talk: Talk) -> Outcome:
    """What an answer, or the lack of one, means for one recipient."""
    if error is None:
        return Outcome(Verdict.DONE)
    text, shown = str(error), talk.text()
    if isinstance(error, Cut) and error.doubt:
        verdict = Verdict.NEVER if work.crashes else Verdict.CRASHED  # sent once more, and that is all
        return Outcome(verdict, f"{TWICE}: {text}" if work.crashes else text, shown)
    if isinstance(error, Refused):
        verdict = error.signal.verdict
        return Outcome(verdict, text, shown, delay=pause(error) if verdict is Verdict.HOLD else error.signal.wait)
    if isinstance(error, LetterLost):
        return Outcome(Verdict.NEVER, text)
    if isinstance(error, ServerUntrusted | SecretUnavailable | LoginRefused):
        return Outcome(Verdict.HOLD, text, shown, delay=pause(error))
    return Outcome(Verdict.LATER, text, shown)


def consequence(error: WatcherError) -> Halt | None:
    """Whether other mail for the relay is to wait."""
    if isinstance(error, LetterLost) or (isinstance(error, Refused) and not error.signal.of_relay):
        return None
    return Halt(str(error), pause(error))


def pause(error: WatcherError) -> float:
    """Seconds for which a relay is left alone after this."""
    if isinstance(error, Refused):
        return LOOK if error.signal.trouble is Trouble.AUTH else error.signal.wait or ALONE
    if isinstance(error, Cut | MailboxLost):
        return ALONE
    return error.wait or MISSING
