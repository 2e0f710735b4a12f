"""Are we well, and how does that read in one line? Pure: what a watchdog may be fed on."""

from collections import Counter
from collections.abc import Iterable, Mapping

from watcher.inbox.pulse import Pulse, State

__all__ = ["headline", "stalled"]

STILL = 120.0  #: seconds in which every part must have moved; each looks up by itself every 30 s at least
DEAF = 600.0  #: seconds by which a live link may be silent beyond its renewal: its thread must have ended it by then

#: How a state reads in the headline, in this order.
WORDS: Mapping[State, str] = {
    State.LIVE: "live",
    State.POLLING: "polling",
    State.CATCHING_UP: "catching up",
    State.CONNECTING: "connecting",
    State.WAITING: "waiting to connect",
    State.REFUSED: "refused",
    State.HELD: "held",
    State.PAUSED: "paused",
}


def headline(pulses: Iterable[Pulse], running: int) -> str:
    """Such as "12 live, 1 refused, 3 jobs running"."""
    states = Counter(pulse.state for pulse in pulses)
    told = [f"{states[state]} {words}" for state, words in WORDS.items() if states[state]]
    jobs = f"{running} job{'' if running == 1 else 's'} running"
    return ", ".join([*told, jobs] if running else told) or "nothing to watch"


def stalled(moved: Mapping[str, float], pulses: Iterable[Pulse], now: float) -> str | None:
    """What no longer moves, in words; None if all is well. `moved`: by part, when it last did (monotonic seconds)."""
    for part, at in moved.items():
        if now - at > STILL:
            return f"{part} has not moved for {now - at:.0f} s"
    for pulse in pulses:
        silence = now - pulse.heard_at
        if pulse.state is State.LIVE and pulse.heard_at and silence > pulse.renewal + DEAF:
            return f"{pulse.account}/{pulse.folder} was neither heard nor renewed for {silence:.0f} s"
    return None
