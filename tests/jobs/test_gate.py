"""The way in for runs: open, then shut, and nobody inside is forgotten."""

import select
from threading import Thread

import pytest

from watcher.jobs.gate import Gate

DEADLINE = 30.0  #: seconds


@pytest.fixture
def gate():
    return Gate()


def shutting(gate):
    """The gate is being shut by a thread, which has begun to look at who is inside."""
    thread = Thread(target=gate.shut, daemon=True)
    thread.start()
    while gate.enter():
        gate.leave()
    return thread


def is_told_to_stop(gate, seconds=0.0):
    return bool(select.select([gate.stop], [], [], seconds)[0])


def test_whoever_comes_while_it_is_open_gets_in(gate):
    assert gate.enter()
    assert gate.enter()
    assert not is_told_to_stop(gate)


def test_nobody_gets_in_once_it_is_shut(gate):
    gate.shut()
    assert not gate.enter()


def test_whoever_stays_is_told_to_stop_and_waited_for(gate):
    assert gate.enter()
    thread = shutting(gate)
    assert is_told_to_stop(gate, DEADLINE)
    assert thread.is_alive()
    gate.leave()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_it_is_shut_twice_without_harm(gate):
    gate.shut()
    gate.shut()
    assert not gate.enter()
