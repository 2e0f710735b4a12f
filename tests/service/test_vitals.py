"""What a watchdog is fed on, and how all reads in one line."""

import pytest

from watcher.inbox.pulse import Pulse, State
from watcher.service.vitals import DEAF, STILL, headline, stalled


def pulse(state: State, *, heard: float = 1000.0, renewal: float = 240.0) -> Pulse:
    return Pulse("support", "INBOX", state, heard_at=heard, renewal=renewal)


@pytest.mark.parametrize(
    ("states", "running", "line"),
    [
        ([], 0, "nothing to watch"),
        ([State.LIVE] * 12 + [State.REFUSED], 3, "12 live, 1 refused, 3 jobs running"),
        ([State.WAITING, State.LIVE, State.POLLING], 1, "1 live, 1 polling, 1 waiting to connect, 1 job running"),
        ([State.CONNECTING], 0, "1 connecting"),
    ],
)
def test_the_headline(states: list[State], running: int, line: str) -> None:
    assert headline([pulse(state) for state in states], running) == line


@pytest.mark.parametrize(
    ("moved", "pulses", "words"),
    [
        ({"jobs": 1000.0}, [pulse(State.LIVE)], None),
        ({"jobs": 1000.0 - STILL - 1, "receiving": 1000.0}, [], "jobs has not moved"),
        ({}, [pulse(State.LIVE, heard=1000 - 240 - DEAF - 1)], "support/INBOX was neither heard"),
        ({}, [pulse(State.LIVE, heard=1000 - 240 - DEAF + 1)], None),
        ({}, [pulse(State.WAITING, heard=1.0)], None),  # a server that is down is not our fault
        ({}, [pulse(State.LIVE, heard=0.0)], None),
    ],
)
def test_what_no_longer_moves(moved: dict[str, float], pulses: list[Pulse], words: str | None) -> None:
    found = stalled(moved, pulses, 1000.0)
    assert (found is None) if words is None else (found is not None and found.startswith(words))
