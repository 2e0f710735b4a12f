"""
When a handler is left alone for a while: what its last runs say, held against the clock.

A handler that can't run at all is paused: its mail waits, and no attempt is used. One that fails on mail after mail has
most likely lost what it works with, a server or a disk: with all its mail tried as before, each would use up its
attempts for nothing. So one mail after the other is tried, with growing waits between, until one succeeds.
"""

from dataclasses import dataclass, replace
from threading import Lock

from watcher.config.handlers import HandlerSettings
from watcher.model import Outcome, Verdict
from watcher.retry import doubled

__all__ = ["FIRST", "LONGEST", "SEVERAL", "SOUND", "Breaker", "Fuse", "after", "pause", "trying", "wait"]

SEVERAL = 10  #: different mails on which it fails in a row
FIRST = 30.0  #: seconds until it is tried again
LONGEST = 300.0  #: the waits double up to this

#: These show that a handler is in order: a mail that it refuses for good has been read and judged.
SOUND = frozenset({Verdict.DONE, Verdict.STOP, Verdict.NEVER, Verdict.GONE})


@dataclass(frozen=True, slots=True)
class Fuse:
    """What the last runs of a handler say."""

    failed: frozenset[str] = frozenset()  #: the mails it failed on since it last was in order
    trials: int = 0  #: how often in a row it could not be run, or failed when it was tried after all these
    until: float = 0.0  #: no other mail is given to it before
    reason: str = ""  #: why it is left alone; "" if it is not


def wait(fuse: Fuse, now: float) -> float:
    """Seconds until a mail may be given to it."""
    return max(0.0, fuse.until - now) if fuse.reason else 0.0


def trying(fuse: Fuse, now: float) -> Fuse:
    """A mail is given to it: where its runs have failed, that is the only one for a while."""
    if len(fuse.failed) < SEVERAL:
        return fuse
    return replace(fuse, until=now + pause(replace(fuse, trials=fuse.trials + 1)))


def after(fuse: Fuse, outcome: Outcome, mail: str, now: float) -> Fuse:
    """What is to be thought of it after a run on this mail."""
    if outcome.verdict in SOUND:
        return Fuse()
    if outcome.verdict is Verdict.HOLD:
        return replace(fuse, trials=fuse.trials + 1, reason=f"paused, its mail waits: {outcome.reason}")
    failed = fuse.failed | {mail} if len(fuse.failed) < SEVERAL else fuse.failed
    if len(failed) < SEVERAL:
        return Fuse(failed)
    trials = fuse.trials + 1 if len(fuse.failed) >= SEVERAL else 1
    reason = f"failed on {SEVERAL} mails in a row, so one is tried now and then: {outcome.reason}"
    blown = Fuse(failed, trials, fuse.until, reason)
    return replace(blown, until=max(fuse.until, now + pause(blown)))


def pause(fuse: Fuse, first: float = FIRST) -> float:
    """Seconds until the next trial; `first` after the first failure."""
    return doubled(min(first, FIRST), max(fuse.trials, 1) - 1, LONGEST)


class Breaker:
    """The fuses of all handlers. Other settings are another handler. Safe to use from many threads."""

    def __init__(self) -> None:
        self._fuses: dict[str, tuple[HandlerSettings, Fuse]] = {}
        self._lock = Lock()

    def refusal(self, name: str, settings: HandlerSettings, now: float) -> Outcome | None:
        """Why no mail is given to this handler now; None if one is."""
        with self._lock:
            fuse = self._fuse(name, settings)
            if rest := wait(fuse, now):
                return Outcome(Verdict.HOLD, fuse.reason, delay=rest)
            self._fuses[name] = settings, trying(fuse, now)
            return None

    def note(self, name: str, settings: HandlerSettings, mail: str, outcome: Outcome, now: float) -> Outcome:
        """Remember how a run on this mail ended; the same, and how long the mail is to wait if it was held."""
        if outcome.verdict is Verdict.HOLD and outcome.delay is not None:  # for another reason than the handler
            return outcome
        with self._lock:
            fuse = after(self._fuse(name, settings), outcome, mail, now)
            self._fuses[name] = settings, fuse
        return replace(outcome, delay=pause(fuse, settings.backoff)) if outcome.verdict is Verdict.HOLD else outcome

    def forget(self) -> None:
        """Something has changed: think well of all handlers again."""
        with self._lock:
            self._fuses.clear()

    def troubles(self) -> dict[str, str]:
        """Handlers that are left alone, by name, and why."""
        with self._lock:
            return {name: fuse.reason for name, (_, fuse) in sorted(self._fuses.items()) if fuse.reason}

    def _fuse(self, name: str, settings: HandlerSettings) -> Fuse:
        known, fuse = self._fuses.get(name, (settings, Fuse()))
        return fuse if known == settings else Fuse()
