"""What the main thread looks at: the clock each time, what is in no hurry once a minute, nothing on a full disk."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.bench.ledger import fill, opened
from watcher.house import House
from watcher.model import Decision, Kind, Outcome, Status, Verdict
from watcher.outbox.alarm import Alarm
from watcher.outbox.fallback import Fallback
from watcher.rounds import APART, Rounds
from watcher.service.clock import ClockWatch
from watcher.service.life import Life
from watcher.stage import Stage

NOON = 1000.0  #: monotonic


@pytest.fixture
def house() -> Iterator[House]:
    """Two mails have come in."""
    with opened({}) as house:
        house.standing.put(replace(house.config, watcher=replace(house.config.watcher, keep_done=1.0)))
        fill(house, 2)
        yield house


@pytest.fixture
def stage(house: House) -> Stage:
    """Not begun: nothing of it is done."""
    return Stage(house.unpacking, house.ledger, (), ended=house.metrics.ended, on_failure=house.ending.fail)


@pytest.fixture
def rounds(house: House, stage: Stage) -> Rounds:
    alarm = Alarm(lambda: None, lambda _: None, house.spool, "instance", lambda _: None)
    fallback = Fallback(lambda: None, house.spool, house.outgoing)
    return Rounds(house, [stage], stage, Life(list, NOON), alarm, fallback)


def finish(house: House) -> None:
    """For one more of them nothing is left to be done, since a minute ago."""
    (work,) = house.ledger.claim(Kind.UNPACK, time.time(), {"": 1})
    house.ledger.finish(work, Outcome(Verdict.DONE), Decision(Status.DONE), time.time() - 60)


def test_what_is_long_finished_is_cleared_away_once_a_minute(house: House, rounds: Rounds) -> None:
    finish(house)
    rounds.go(NOON)
    assert len(house.desk.keys()) == 1
    finish(house)
    rounds.go(NOON + APART / 2)
    assert len(house.desk.keys()) == 1
    rounds.go(NOON + APART)
    assert not house.desk.keys()
    assert not list(house.spool.path.iterdir())


def test_nothing_is_done_while_the_disk_is_full(house: House, rounds: Rounds) -> None:
    finish(house)
    house.ledger.database.trouble = "full"
    rounds.go(NOON)
    house.ledger.database.trouble = ""
    assert len(house.desk.keys()) == 2
    rounds.go(NOON + 1)
    assert len(house.desk.keys()) == 1, "the minute began with a round that was none"


@pytest.mark.parametrize("by", [7200.0, -7200.0])
def test_what_waits_goes_with_the_clock(
    house: House, stage: Stage, rounds: Rounds, by: float, caplog: pytest.LogCaptureFixture
) -> None:
    (before,) = house.ledger.lanes(Kind.UNPACK)
    stage.roster.hold("", time.time() + 60, sound=False)
    rounds.go(NOON)
    assert stage.roster.held
    ahead = iter([0.0, by, by])
    rounds.clock = ClockWatch(lambda: next(ahead))
    with caplog.at_level(logging.WARNING):
        rounds.go(NOON + 5)
        rounds.go(NOON + 10)
    (after,) = house.ledger.lanes(Kind.UNPACK)
    assert after.due - before.due == pytest.approx(by)
    assert not stage.roster.held
    assert len([record for record in caplog.records if "the clock was set" in record.message]) == 1
