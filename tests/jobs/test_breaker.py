"""A handler that fails and fails is tried now and then; one that can't run is paused; one that works is let alone."""

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs.breaker import FIRST, LONGEST, SEVERAL, Breaker, Fuse, after, pause, trying, wait
from watcher.model import Outcome, Verdict

DONE, STOP, LATER, CRASHED, NEVER, HOLD = (
    Outcome(verdict, "why")
    for verdict in (Verdict.DONE, Verdict.STOP, Verdict.LATER, Verdict.CRASHED, Verdict.NEVER, Verdict.HOLD)
)
BLOWN = [LATER] * SEVERAL


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], 0),
        ([LATER] * (SEVERAL - 1), 0),
        (BLOWN, FIRST),
        ([CRASHED] * SEVERAL, FIRST),
        ([LATER, CRASHED] * (SEVERAL // 2), FIRST),
        ([*BLOWN, LATER], 2 * FIRST),
        (BLOWN + [LATER] * 2, 4 * FIRST),
        (BLOWN + [LATER] * 9, LONGEST),
        (BLOWN + [LATER] * 5000, LONGEST),
        ([*BLOWN, DONE], 0),
        ([*BLOWN, NEVER], 0),
        ([*BLOWN[1:], DONE, LATER], 0),
        ([*BLOWN[1:], STOP, LATER], 0),
        ([*BLOWN[1:], NEVER, LATER], 0),
        ([*BLOWN[1:], HOLD, LATER], FIRST),
        ([*BLOWN, DONE, *BLOWN], FIRST),
        ([*BLOWN, HOLD], FIRST),
        ([HOLD] * 20, 0),
    ],
)
def test_waits_after_runs_on_different_mails(outcomes, expected):
    fuse = Fuse()
    for number, outcome in enumerate(outcomes):
        fuse = after(fuse, outcome, f"mail {number}", 1000.0)
    assert wait(fuse, 1000.0) == expected
    assert wait(fuse, 1000.0 + LONGEST) == 0


def test_one_mail_that_fails_and_fails_says_nothing_of_the_handler():
    fuse = Fuse()
    for _ in range(100):
        fuse = after(fuse, LATER, "the same", 0.0)
    assert not wait(fuse, 0.0)
    assert not fuse.reason


def test_only_one_is_tried_at_once():
    fuse = Fuse()
    for number in range(SEVERAL):
        assert trying(fuse, 0.0) == fuse
        fuse = after(fuse, LATER, f"mail {number}", 0.0)
    assert wait(fuse, FIRST) == 0
    assert wait(trying(fuse, FIRST), FIRST) == 2 * FIRST


def test_a_pause_grows():
    fuse, pauses = Fuse(), []
    for _ in range(6):
        fuse = after(fuse, HOLD, "m", 0.0)
        pauses.append(pause(fuse))
    assert pauses == [30, 60, 120, 240, 300, 300]


def test_a_breaker_knows_its_handlers_apart():
    breaker, mine, other = Breaker(), HandlerSettings(), HandlerSettings(attempts=3)
    for number in range(SEVERAL):
        assert breaker.refusal("book", mine, 0.0) is None
        assert breaker.note("book", mine, f"mail {number}", LATER, 0.0) is LATER
    refusal = breaker.refusal("book", mine, 10.0)
    assert (refusal.verdict, refusal.delay) == (Verdict.HOLD, FIRST - 10)
    assert refusal.reason == "failed on 10 mails in a row, so one is tried now and then: why"
    assert breaker.note("book", mine, "mail 0", refusal, 10.0) is refusal
    assert breaker.troubles() == {"book": refusal.reason}
    assert breaker.refusal("file", mine, 10.0) is None
    assert breaker.refusal("book", other, 10.0) is None
    breaker.forget()
    assert breaker.refusal("book", mine, 10.0) is None
    assert breaker.troubles() == {}
    assert breaker.note("book", mine, "m", HOLD, 0.0).delay == FIRST
    assert breaker.note("book", mine, "m", HOLD, 0.0).delay == 2 * FIRST
    assert breaker.troubles() == {"book": "paused, its mail waits: why"}
    interrupted = Outcome(Verdict.HOLD, "interrupted", delay=1.0)
    assert breaker.note("book", mine, "m", interrupted, 0.0) is interrupted


def test_a_dead_backend_costs_one_attempt_in_a_while(room):
    room.script("book", "exit 75")
    outcomes = [room.run("book", key=f"m{number}") for number in range(SEVERAL + 5)]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.LATER] * SEVERAL + [Verdict.HOLD] * 5
    assert "failed on 10 mails in a row" in room.dispatcher.troubles()["book"]
    room.dispatcher.forget()
    assert room.run("book").verdict is Verdict.LATER
