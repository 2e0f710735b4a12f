"""How all is, as `status` shows it: plain JSON. The truth is that of the watchers themselves."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from watcher.config.standing import Standing
from watcher.inbox.pulse import Pulse
from watcher.outbox.canary import Song
from watcher.service.life import silence
from watcher.store.desk import Desk, Newest

__all__ = ["Status"]


class Status:
    """Asked by the control socket, from any thread."""

    def __init__(
        self,
        standing: Standing,
        desk: Desk,
        pulses: Callable[[], Sequence[Pulse]],
        *,
        songs: Callable[[], Sequence[Song]],
        handlers: Callable[[], Mapping[str, str]],
        paused: Callable[[], Collection[str]],
    ) -> None:
        """`handlers`: those with which something is wrong, and what; `paused`: those that a person has paused."""
        self.standing = standing
        self.desk = desk
        self.pulses = pulses
        self.songs = songs
        self.handlers = handlers
        self.paused = paused
        self.born = time.monotonic()

    def tell(self) -> object:
        """All of it."""
        now, newest = time.monotonic(), self.desk.newest()
        return {
            "folders": [
                {
                    **_folder(pulse, now),
                    "silence": silence(pulse, self.born, now),
                    "newest": _newest(newest.get((pulse.account, pulse.folder))),
                }
                for pulse in self.pulses()
            ],
            "canaries": [_canary(song) for song in self.songs()],
            "work": self.desk.counts(),
            "ledger": self.desk.trouble,
            "paused": sorted(self.paused()),
            **self.troubles(),
        }

    def troubles(self) -> dict[str, object]:
        """What a person should mend in files: nothing in them is in force while it is here."""
        return {
            "configuration": {"file": str(self.standing.config.path), "refused": list(self.standing.refused)},
            "handlers": dict(self.handlers()),
        }


def _newest(newest: Newest | None) -> object:
    """Its age and how long it took until it was handled, in seconds."""
    if newest is None:
        return None
    lag = None if newest.lag is None else round(max(0.0, newest.lag), 1)
    return {"age": round(max(0.0, time.time() - newest.received), 1), "lag": lag}


def _canary(song: Song) -> dict[str, object]:
    """Seconds since the last one came in, and that it took; null as long as none has."""
    return {
        "account": song.account,
        "age": None if song.came_at is None else round(max(0.0, time.time() - song.came_at), 1),
        "took": None if song.took is None else round(song.took, 1),
        "missing": song.missing,
    }


def _folder(pulse: Pulse, now: float) -> dict[str, object]:
    """Ages are seconds since then; null means never."""
    moments = {"connected": pulse.connected_at, "heard": pulse.heard_at, "scanned": pulse.scanned_at}
    return {
        "account": pulse.account,
        "folder": pulse.folder,
        "state": pulse.state,
        "trouble": pulse.trouble,
        "mails": pulse.mails,
        "left_out": pulse.left_out,
        "connects": pulse.connects,
        "renewal": pulse.renewal,
        "age": {name: round(now - at, 1) if at else None for name, at in moments.items()},
    }
