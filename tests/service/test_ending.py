"""Why the daemon ends: signals, and failures at any time."""

import os
import signal

import pytest

from watcher.service.ending import Ending


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_without_failure(number: signal.Signals) -> None:
    ending = Ending()
    before = signal.getsignal(number)
    with ending.signals():
        os.kill(os.getpid(), number)
        assert ending.wait(10)
    assert ending.reason == number.name
    assert ending.failure is None
    assert signal.getsignal(number) is before


def test_the_first_failure_is_kept_even_after_a_signal() -> None:
    ending = Ending()
    with ending.signals():
        os.kill(os.getpid(), signal.SIGTERM)
        assert ending.wait(10)
        first = OSError("disk full")
        ending.fail(first)
        ending.fail(ValueError("a consequence"))
    assert ending.failure is first
    assert ending.reason == "SIGTERM"


def test_a_failure_ends_it() -> None:
    ending = Ending()
    ending.fail(OSError("disk full"))
    assert ending.wait(0)
    assert ending.reason == "OSError: disk full"
