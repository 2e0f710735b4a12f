"""One at a time, and who waits shares its end."""

import sys
import threading
import time

import pytest

from watcher.config.oauth.flight import SingleFlight
from watcher.errors import SecretUnavailable, WatcherError


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def waiting(threads):
    """How many of them wait in `share` for the one that acts."""
    frames = [sys._current_frames().get(thread.ident) for thread in threads]
    return sum(frame is not None and frame.f_code.co_name == "share" and "before" in frame.f_locals for frame in frames)


@pytest.mark.parametrize("end", ["good", SecretUnavailable("down"), KeyError("a bug")])
def test_all_who_came_meanwhile_get_the_same_end(end):
    flight, calls, ends, go = SingleFlight(), [], [], threading.Event()

    def act():
        calls.append(1)
        assert go.wait(10)
        if isinstance(end, Exception):
            raise end
        return end

    def run():
        try:
            ends.append(flight.share(act))
        except Exception as error:  # noqa: BLE001 it is looked at
            ends.append(error)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    wait_until(lambda: waiting(threads) == 19)
    go.set()
    for thread in threads:
        thread.join(10)
    assert calls == [1]
    others = [result for result in ends if result != end]
    assert len(ends) == 20
    assert len(others) == (19 if isinstance(end, KeyError) else 0)
    assert all(isinstance(result, WatcherError) for result in others)


def test_who_comes_later_acts_anew():
    flight, numbers = SingleFlight(), iter(range(5))
    assert [flight.share(lambda: next(numbers)) for _ in range(3)] == [0, 1, 2]
