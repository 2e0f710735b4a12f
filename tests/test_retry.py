"""What becomes of work after an attempt: tables of cases, and the spread of waits."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.model import Kind, Outcome, Place, Status, Verdict, Work
from watcher.retry import POISON, POLICIES, RetryPolicy, cut_off, decide, doubled

POLICY = RetryPolicy(attempts=5, first=30.0, cap=3600.0, age=48 * 3600.0)
NOW = 1_000_000.0


def work(tries: int = 1, crashes: int = 0, first_at: float = NOW) -> Work:
    place = Place("a", "INBOX", 7, 1)
    return Work(1, Kind.JOB, "h", "", 1, "k", place, datetime.now(UTC), "", tries, tries, crashes, first_at)


def test_every_kind_of_work_has_a_policy() -> None:
    """Those of jobs are in their handlers' settings."""
    assert POLICIES.keys() | {Kind.JOB} == set(Kind)


@pytest.mark.parametrize(
    ("verdict", "tries", "crashes", "first_at", "status", "reason"),
    [
        (Verdict.DONE, 1, 0, NOW, Status.DONE, "why"),
        (Verdict.STOP, 1, 0, NOW, Status.DONE, "why"),
        (Verdict.GONE, 1, 0, NOW, Status.SKIPPED, "why"),
        (Verdict.NEVER, 1, 0, NOW, Status.DEAD, "why"),
        (Verdict.LATER, 4, 0, NOW, Status.WAITING, "why"),
        (Verdict.LATER, 5, 0, NOW, Status.DEAD, "gave up after 5 attempts: why"),
        (Verdict.LATER, 2, 0, NOW - 49 * 3600, Status.DEAD, "gave up after 48 hours: why"),
        (Verdict.CRASHED, 1, POISON - 2, NOW, Status.WAITING, "why"),
        (Verdict.CRASHED, 2, POISON - 1, NOW, Status.DEAD, "poison: crashed 3 times, last: why"),
        (Verdict.HOLD, 5, 2, NOW - 1e6, Status.WAITING, "why"),
    ],
)
def test_decisions(verdict: Verdict, tries: int, crashes: int, first_at: float, status: Status, reason: str) -> None:
    decision = decide(Outcome(verdict, "why"), work(tries, crashes, first_at), POLICY, NOW)
    assert (decision.status, decision.reason) == (status, reason)
    assert decision.free == (verdict is Verdict.HOLD)
    assert decision.crashed == (verdict is Verdict.CRASHED)
    assert (decision.due is not None) == (status is Status.WAITING)


def test_waits_double_up_to_the_cap() -> None:
    policy = RetryPolicy(attempts=99, jitter=0.0)
    dues = [decide(Outcome(Verdict.LATER), work(tries), policy, NOW, lambda: 0.5).due for tries in range(1, 10)]
    assert [due - NOW for due in dues if due] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@given(st.integers(1, 4), st.floats(0, 1))
def test_jitter_stays_within_a_fifth(tries: int, rnd: float) -> None:
    due = decide(Outcome(Verdict.LATER), work(tries), POLICY, NOW, lambda: rnd).due
    assert due is not None
    plain = 30 * 2 ** (tries - 1)
    assert 0.8 * plain - 1e-6 <= due - NOW <= 1.2 * plain + 1e-6


@given(st.floats(allow_nan=False, allow_infinity=True))
def test_a_handler_can_ask_for_a_delay_but_not_for_ever(asked: float) -> None:
    due = decide(Outcome(Verdict.LATER, delay=asked), work(), POLICY, NOW).due
    assert due is not None
    assert NOW <= due <= NOW + POLICY.age


def test_interrupted_work_comes_back_soon_and_then_less_soon() -> None:
    assert [cut_off(tries, 100, NOW).due for tries in (1, 2, 3, 20)] == [NOW, NOW + 1, NOW + 3, NOW + 600]
    assert cut_off(100, 100, NOW).status is Status.DEAD


def test_a_wait_that_doubles_stays_a_number_however_often_it_does() -> None:
    assert [doubled(0.5, times, 60.0) for times in (0, 1, 6, 7, 1024, 10**9)] == [0.5, 1.0, 32.0, 60.0, 60.0, 60.0]
    assert cut_off(10**9, 10**10, NOW).due == NOW + 600.0
