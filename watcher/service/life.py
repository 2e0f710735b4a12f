"""
Proof of life: a folder that no server has spoken for in a while is told once, as loudly as a dead letter, and so is
that all is well again. A link may be silent as long as its renewal; a folder with no link at all only for a while.
"""

import logging
from collections.abc import Callable, Sequence

from watcher.inbox.pulse import WATCHED, Pulse, State

__all__ = ["Life", "silence"]

log = logging.getLogger(__name__)

PATIENCE = 900.0  #: seconds beyond the renewal in which nobody needs to be woken
MOST = 10  #: folders told one by one: where a whole provider is dark the next lines say nothing new
UNSEEN = 5400.0  #: seconds in which every folder is looked through, as a wait between two looks is 30 minutes at most


def silence(pulse: Pulse, born: float, now: float) -> str:
    """
    Why nobody can say that this folder is watched, "" if it is, or if it is paused. Times in monotonic seconds;
    `born`: when the daemon began.
    """
    if pulse.state is State.PAUSED:
        return ""
    unheard = now - max(pulse.heard_at, born)
    if unheard > pulse.renewal + PATIENCE:
        why = f" ({pulse.trouble})" if pulse.trouble else ""
        return f"its server has not answered for {unheard / 60:.0f} minutes{why}"
    unseen = now - max(pulse.scanned_at, pulse.connected_at, born)
    if pulse.state in WATCHED - {State.CATCHING_UP, State.HELD} and unseen > UNSEEN:
        return f"it has not been looked through for {unseen / 60:.0f} minutes"
    return ""


class Life:
    """Looks after all folders, in the main thread."""

    def __init__(self, pulses: Callable[[], Sequence[Pulse]], now: float) -> None:
        self.pulses = pulses
        self.born = now
        self.silent: dict[str, str] = {}  #: account/folder -> why

    def look(self, now: float) -> None:
        """Tell what has changed since the last look."""
        silent = {
            f"{pulse.account}/{pulse.folder}": why for pulse in self.pulses() if (why := silence(pulse, self.born, now))
        }
        fresh, again = sorted(silent.keys() - self.silent.keys()), sorted(self.silent.keys() - silent.keys())
        for name in fresh[:MOST]:
            log.error("%s is not watched: %s", name, silent[name])
        if len(fresh) > MOST:
            log.error("%d more folders are not watched; see imap-watcher status", len(fresh) - MOST)
        for name in again[:MOST]:
            log.warning("%s is watched again", name)
        if len(again) > MOST:
            log.warning("%d more folders are watched again", len(again) - MOST)
        self.silent = silent
