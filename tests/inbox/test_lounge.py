"""The lounge: many waiting guests, few threads, nobody forgotten."""

import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from watcher.inbox.door import Turn
from watcher.inbox.lounge import SLACK, Lounge, Party, Wait, together

FAR = 3600.0


@pytest.fixture
def failures() -> list[BaseException]:
    return []


@pytest.fixture
def lounge(failures: list[BaseException]) -> Iterator[Lounge]:
    opened = Lounge(2, failures.append)
    yield opened
    opened.close()


def test_a_guest_is_woken_by_its_link(lounge: Lounge) -> None:
    ours, theirs = socket.socketpair()
    woken = threading.Event()
    told = []

    def guest():
        told.append((yield Wait(time.monotonic() + FAR, SimpleNamespace(fileno=ours.fileno))))
        woken.set()

    lounge.admit(guest())
    theirs.send(b"!")
    assert woken.wait(10)
    assert told == [True]
    ours.close()
    theirs.close()


def test_a_guest_is_woken_by_its_time(lounge: Lounge) -> None:
    woken = threading.Event()
    told = []
    ours, theirs = socket.socketpair()

    def guest():
        told.append((yield Wait(time.monotonic() + 0.01, SimpleNamespace(fileno=ours.fileno))))
        told.append((yield Wait(time.monotonic())))
        woken.set()

    lounge.admit(guest())
    assert woken.wait(10)
    assert told == [False, False]
    ours.close()
    theirs.close()


def test_a_guest_that_takes_long_holds_up_nobody_whose_time_has_come(lounge: Lounge) -> None:
    at_once, going_on, woken = time.monotonic() + 0.05, threading.Event(), threading.Event()

    def slow():
        yield Wait(at_once)
        assert going_on.wait(60)

    def quick():
        yield Wait(at_once)
        woken.set()

    for guest in (slow, quick, slow):
        lounge.admit(guest())
    try:
        assert woken.wait(20)
    finally:
        going_on.set()


@pytest.mark.parametrize("seconds", [0.3, 1.0, 36.0, 240.0, 1440.0])
def test_waits_of_about_one_length_end_together(seconds: float) -> None:
    now = 81_234.567
    begun = [now + seconds * share / 10_000 for share in range(9_000, 10_000)]
    ends = [together(until, now) for until in begun]
    assert all(0 <= end - until <= (until - now) * SLACK for end, until in zip(ends, begun, strict=True))
    assert len(set(ends)) < 2 * 0.1 / SLACK + 2


def test_what_is_late_is_not_put_off() -> None:
    assert together(5.0, 5.0) == 5.0
    assert together(0.0, 5.0) == 0.0


@pytest.mark.parametrize("early", [True, False])
def test_a_guest_is_woken_by_its_turn(lounge: Lounge, early: bool) -> None:
    turn, woken, waiting = Turn(), threading.Event(), threading.Event()

    def guest():
        waiting.set()
        if early:
            turn.grant()
        yield Wait(time.monotonic() + FAR, turn=turn)
        assert turn.granted
        woken.set()

    lounge.admit(guest())
    assert waiting.wait(10)
    if not early:
        turn.grant()
    assert woken.wait(10)


def test_a_hundred_guests_need_two_threads(lounge: Lounge) -> None:
    pairs = [socket.socketpair() for _ in range(100)]
    rounds = [0] * 100
    done = threading.Semaphore(0)

    def guest(number: int):
        link = SimpleNamespace(fileno=pairs[number][0].fileno)
        for _ in range(20):
            assert (yield Wait(time.monotonic() + FAR, link))
            pairs[number][0].recv(1)
            rounds[number] += 1
        done.release()

    for number in range(100):
        lounge.admit(guest(number))
    for _ in range(20):
        for _, theirs in pairs:
            theirs.send(b"!")
    for _ in range(100):
        assert done.acquire(timeout=20)
    assert rounds == [20] * 100
    for pair in pairs:
        for end in pair:
            end.close()


def test_an_error_of_a_guest_is_reported_and_others_live_on(lounge: Lounge, failures: list[BaseException]) -> None:
    def broken():
        raise RuntimeError("a bug")
        yield

    fine = threading.Event()

    def other():
        yield Wait(time.monotonic() + 0.01)
        fine.set()

    lounge.admit(broken())
    lounge.admit(other())
    assert fine.wait(10)
    assert [str(error) for error in failures] == ["a bug"]


def test_closing_closes_the_guests_where_they_wait(failures: list[BaseException]) -> None:
    opened = Lounge(1, failures.append)
    waiting, closed = threading.Event(), threading.Event()

    def guest():
        try:
            waiting.set()
            yield Wait(time.monotonic() + FAR)
        finally:
            closed.set()

    opened.admit(guest())
    assert waiting.wait(10)
    opened.close()
    assert closed.is_set()
    assert not any(thread.is_alive() for thread in opened.threads)


def test_a_party_that_is_dismissed_is_closed_wherever_its_guests_are(lounge: Lounge) -> None:
    ours, theirs = socket.socketpair()
    party, others = Party(lounge), Party(lounge)
    parked, busy, go_on = threading.Event(), threading.Event(), threading.Event()
    closed: list[str] = []
    gone = threading.Semaphore(0)

    def guest(name, ready, wait):
        try:
            ready.set()
            wait()
            while True:
                yield Wait(time.monotonic() + FAR, SimpleNamespace(fileno=ours.fileno) if name == "parked" else None)
        finally:
            closed.append(name)
            gone.release()

    lounge.admit(guest("parked", parked, lambda: None), party)
    lounge.admit(guest("busy", busy, lambda: go_on.wait(10)), party)
    lounge.admit(guest("another", threading.Event(), lambda: None), others)
    assert parked.wait(10)
    assert busy.wait(10)
    lounge.dismiss(party)
    assert gone.acquire(timeout=10)
    go_on.set()
    assert gone.acquire(timeout=10)
    lounge.admit(guest("late", threading.Event(), lambda: None), party)
    assert sorted(closed) == ["busy", "parked"]
    ours.close()
    theirs.close()
