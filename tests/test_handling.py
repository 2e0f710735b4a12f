"""Jobs are done as the settings of their handler in force say, and on mails that are whole."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.ledger import fill, opened
from watcher.config.handlers import HandlerSettings
from watcher.craft import Lot
from watcher.daemon import open_dispatcher
from watcher.handling import Handling
from watcher.house import House
from watcher.model import Decision, Kind, Outcome, Plan, Status, Step, Verdict, Work
from watcher.retry import RetryPolicy

PATIENCE = 60.0
SLOW = '#!/bin/sh\ntouch "$WATCHER_STATE/begun"\nexec sleep 1000\n'


@pytest.fixture
def house() -> Iterator[House]:
    with opened({"handler": '#!/bin/sh\ntest -r "$WATCHER_MESSAGE" || exit 70\n', "slow": SLOW}) as house:
        yield house


@pytest.fixture
def handling(house: House) -> Iterator[Handling]:
    made = Handling(open_dispatcher(house), house.standing, house.unpacking, house.pauses, house.metrics)
    yield made
    made.abort()


def settle(house: House, **handlers: HandlerSettings) -> None:
    house.standing.put(replace(house.config, handlers=handlers))


def job(house: House, handler: str = "handler") -> Work:
    """A mail that was taken apart, and is claimed for the handler."""
    fill(house, 1)
    (work,) = house.ledger.claim(Kind.UNPACK, time.time(), {"": 1})
    assert house.unpacking.find_handlers(work).verdict is Verdict.DONE
    outcome = Outcome(Verdict.DONE, plan=Plan((Step(handler, "rule 1"),)))
    house.ledger.finish(work, outcome, Decision(Status.DONE), time.time())
    (claimed,) = house.ledger.claim(Kind.JOB, time.time(), {handler: 1})
    return claimed


def test_a_lane_is_as_its_handler_is_set(house: House, handling: Handling) -> None:
    settle(house, many=HandlerSettings(batch=5.0, batch_size=20), few=HandlerSettings(concurrency=1))
    assert (handling.lot("many"), handling.lot("few")) == (Lot(20, wait=5.0), None)
    assert handling.limit("few") == 1
    settle(house, few=HandlerSettings(concurrency=3, attempts=7, backoff=2.0))
    assert (handling.limit("few"), handling.lot("many")) == (3, None)
    work = replace(job(house), name="few")
    assert (handling.lane(work), handling.policy(work)) == ("few", RetryPolicy(attempts=7, first=2.0))


def test_a_paused_handler_has_no_room(house: House, handling: Handling) -> None:
    house.pauses.pause("handler", "few")
    assert handling.limit("few") == 0
    house.pauses.resume("handler", "few")
    assert handling.limit("few") > 0


def test_a_plan_makes_work_due_in_the_lanes_of_its_handlers(handling: Handling) -> None:
    plan = Plan((Step("a", "one"), Step("b", "one"), Step("a", "two")))
    assert handling.due_after(Outcome(Verdict.DONE, plan=plan)) == {"a", "b"}


def test_each_run_is_measured(house: House, handling: Handling) -> None:
    work = job(house)
    assert [(one, outcome.verdict) for one, outcome in handling.act([work])] == [(work, Verdict.DONE)]
    assert b'imap_watcher_handler_run_seconds_count{handler="handler"} 1.0' in house.metrics.text()


def test_what_is_lost_of_a_mail_is_made_anew_before_its_handler_runs(house: House, handling: Handling) -> None:
    work = job(house)
    facts = house.spool.folder(work.key).facts
    written = facts.read_bytes()
    facts.unlink()
    assert [outcome.verdict for _, outcome in handling.act([work])] == [Verdict.DONE]
    assert facts.read_bytes() == written


def test_where_that_can_not_be_done_the_handler_runs_later(house: House, handling: Handling) -> None:
    work = job(house)
    house.spool.folder(work.key).facts.unlink()
    house.unpacking.pool.close()
    ((one, outcome),) = handling.act([work])
    assert (one, outcome.verdict) == (work, Verdict.LATER)
    assert outcome.reason


def test_what_runs_is_interrupted_at_the_end_and_uses_no_attempt(house: House, handling: Handling) -> None:
    work = job(house, "slow")
    outcomes: list[Outcome] = []
    running = threading.Thread(target=lambda: outcomes.extend(outcome for _, outcome in handling.act([work])))
    running.start()
    begun = Path(house.spool.path.parent, "handler-state", "slow", "begun")
    end = time.monotonic() + PATIENCE
    while not begun.exists():
        assert time.monotonic() < end
        running.join(0.02)
    handling.abort()
    running.join(PATIENCE)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.HOLD]
