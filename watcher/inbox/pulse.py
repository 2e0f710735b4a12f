"""How a watched folder is: the truth that `status` shows. Written by its watcher only, read by anybody."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["WATCHED", "Pulse", "State"]


class State(StrEnum):
    """What a watcher is about."""

    CONNECTING = "connecting"
    CATCHING_UP = "catching up"
    LIVE = "live"  #: IDLE stands; the server pushes
    POLLING = "polling"  #: no IDLE; asked every so often
    HELD = "held"  #: connected, and the disk is full
    WAITING = "waiting"  #: for the next try to connect
    REFUSED = "refused"  #: login, folder or certificate: a person must look
    PAUSED = "paused"  #: by a person


#: All goes its way.
WATCHED = frozenset({State.LIVE, State.POLLING, State.CATCHING_UP, State.HELD, State.PAUSED})


@dataclass(slots=True)
class Pulse:
    """Times are monotonic seconds; 0.0 means never."""

    account: str
    folder: str
    state: State = State.CONNECTING
    trouble: str = ""  #: the last thing that went wrong, in words; "" once all is well again
    connected_at: float = 0.0
    heard_at: float = 0.0  #: last answer of the server
    scanned_at: float = 0.0  #: last finished catch-up
    mails: int = 0  #: new ones since the start of the daemon
    left_out: int = 0  #: of these, not fetched, as no rule is for them
    connects: int = 0
    renewal: float = 0.0  #: seconds after which IDLE is renewed, as learnt
    answered: bool = False  #: the first answer or failure is known
