"""The life of a piece of work: claims, outcomes, and what follows from them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.conftest import NOON, Books, arrival
from watcher.model import MOVES, Action, Decision, Kind, Outcome, Plan, Status, Step, Verb, Verdict
from watcher.store.desk import Filter, NotPossible
from watcher.store.moves import move

SEEN, DONE_FOLDER, FAILED = Action(Verb.SEEN), Action(Verb.MOVE, "Done"), Action(Verb.MOVE, "Failed")
TWO = Plan((Step("one", "r"), Step("two", "r")), (SEEN, DONE_FOLDER), (("r", FAILED),))
OK, LATER, NEVER, STOP = (Outcome(v, "why") for v in (Verdict.DONE, Verdict.LATER, Verdict.NEVER, Verdict.STOP))


def test_a_claimed_work_is_not_claimed_again(books: Books) -> None:
    books.receive(arrival(1))
    assert books.claim(Kind.UNPACK).attempt == 1
    assert books.claim_all(Kind.UNPACK) == []
    assert books.ledger.claim(Kind.UNPACK, 10.0, {"": 1}) == []


def test_an_outcome_counts_once_and_only_for_the_running_attempt(books: Books) -> None:
    books.receive(arrival(1))
    first = books.claim(Kind.UNPACK)
    books.end(first, LATER, now=20.0)
    second = books.claim(Kind.UNPACK, now=100.0)
    assert second.attempt == 2
    assert not books.ledger.finish(first, OK, Decision(Status.DONE), 101.0), "an older attempt was accepted"
    books.end(second, OK)
    assert not books.ledger.finish(second, OK, Decision(Status.DONE), 102.0), "an outcome was accepted twice"


def test_steps_of_a_chain_start_in_order_and_actions_wait_for_all(books: Books) -> None:
    books.route(TWO)
    assert books.states("job") == {"one": "waiting", "two": "waiting*"}
    books.end(books.claim(Kind.JOB), OK)
    assert books.states("after") == {"seen": "waiting*", "move Done": "waiting*", "move Failed": "waiting*"}
    books.end(books.claim(Kind.JOB, 30.0), OK)
    assert books.states("after") == {"seen": "waiting", "move Done": "waiting*", "move Failed": "waiting*"}
    books.end(books.claim(Kind.AFTER, 30.0), OK, 40.0)
    assert books.states("after")["move Done"] == "waiting"


def test_a_handler_that_fails_does_not_keep_the_next_from_starting(books: Books) -> None:
    books.route(TWO)
    books.end(books.claim(Kind.JOB), LATER)
    assert books.states("job") == {"one": "waiting", "two": "waiting"}
    books.end(books.claim(Kind.JOB, 20.0), OK)
    assert books.states("after")["seen"] == "waiting*", "an action ran before all handlers had succeeded"


def test_stop_ends_the_chain_and_counts_as_success(books: Books) -> None:
    books.route(TWO)
    books.end(books.claim(Kind.JOB), STOP)
    assert books.states("job") == {"one": "done", "two": "skipped"}
    assert books.states("after")["seen"] == "waiting"


def test_a_dead_handler_lets_on_dead_go_and_holds_then(books: Books) -> None:
    books.route(TWO)
    books.end(books.claim(Kind.JOB), NEVER)
    books.end(books.claim(Kind.JOB, 30.0), OK)
    assert books.states("after") == {"seen": "waiting*", "move Done": "waiting*", "move Failed": "waiting"}


def test_wishes_of_a_handler_wait_for_the_others_too(books: Books) -> None:
    books.route(TWO)
    flag = Action(Verb.FLAG, "$Booked")
    books.end(books.claim(Kind.JOB), replace(OK, actions=(flag,)))
    assert books.states("after")["flag $Booked"] == "waiting*"
    books.end(books.claim(Kind.JOB, 30.0), OK)
    assert books.states("after")["flag $Booked"] == "waiting"


def test_a_rule_without_handlers_acts_at_once(books: Books) -> None:
    books.route(Plan(then=(SEEN,)))
    assert books.states("after") == {"seen": "waiting"}


def test_recovery_puts_back_what_ran_and_counts_the_attempt(books: Books) -> None:
    books.receive(arrival(1))
    books.claim(Kind.UNPACK)
    assert books.ledger.recover(30.0, lambda kind, name: 12) == 0, "work of this very run was taken for a leftover"
    books.database.close()
    books.boot = "second"
    books.__post_init__()
    assert books.ledger.recover(30.0, lambda kind, name: 12) == 1
    assert books.claim(Kind.UNPACK, 31.0).attempt == 2


YEAR = 365 * 86400.0


@pytest.mark.parametrize("by", [3600.0, -7200.0, 10 * YEAR, -10 * YEAR])
def test_what_waits_waits_as_long_whatever_the_clock_is_set_to(books: Books, by: float) -> None:
    now = 20 * YEAR
    books.route(TWO)
    books.end(books.claim(Kind.JOB, now), LATER, now)
    books.end(books.claim(Kind.JOB, now), NEVER, now)
    books.ledger.clock_set(by)
    assert books.claim_all(Kind.JOB, now + by + 29.0) == []
    (again,) = books.claim_all(Kind.JOB, now + by + 31.0)
    assert books.end(again, LATER, now + by + 31.0).status == "waiting", "given up for an age it does not have"
    assert books.desk.clear(now + by - 1.0, now + by - 1.0) == []


def test_what_waits_is_not_put_off_by_a_clock_set_back_while_no_daemon_ran(books: Books) -> None:
    books.route(Plan((Step("one", "r"),)))
    books.end(books.claim(Kind.JOB, 10 * YEAR), LATER, 10 * YEAR)
    books.ledger.recover(1000.0, lambda *_: 12)
    assert [lane.due for lane in books.ledger.lanes(Kind.JOB)] == [1030.0]


def test_parts_written_before_the_machine_went_down_are_not_trusted(books: Books) -> None:
    books.route(Plan((Step("one", "a"), Step("two", "b"))))
    assert books.claim(Kind.JOB).unpacked
    books.database.close()
    books.machine = "up again"
    books.__post_init__()
    assert not books.claim(Kind.JOB, 30.0).unpacked


def test_free_attempts_do_not_count_against_the_limit(books: Books) -> None:
    books.route(Plan((Step("one", "r"),)))
    for now in range(100, 100_000, 3600):
        work = books.claim(Kind.JOB, now)
        assert work.tries == 1
        decision = Decision(Status.WAITING, now + 1.0, "not executable", free=True)
        assert books.ledger.finish(work, Outcome(Verdict.HOLD), decision, now)
        if now > 50_000:
            break
    assert work.attempt > 10


def test_each_handler_is_a_lane_with_places_of_its_own(books: Books) -> None:
    for uid in (1, 2, 3):
        books.route(Plan((Step("a", "a"), Step("b", "b"))), uid)
    assert [lane.name for lane in books.ledger.lanes(Kind.JOB)] == ["a", "b"]
    works = books.ledger.claim(Kind.JOB, 30.0, {"a": 1, "b": 2, "c": 5})
    assert [(work.name, work.place.uid) for work in works] == [("a", 1), ("b", 1), ("b", 2)]


def test_a_lane_tells_when_its_next_work_falls_due(books: Books) -> None:
    books.route(Plan((Step("a", "a"), Step("b", "b"))))
    books.end(books.claim(Kind.JOB), LATER, now=100.0)
    assert [(lane.name, lane.due) for lane in books.ledger.lanes(Kind.JOB)] == [("b", 5.0), ("a", 130.0)]
    assert books.ledger.claim(Kind.JOB, 129.0, {"a": 1}) == []
    assert books.ledger.due(Kind.JOB, "a", 131.0, 10) == 1


def test_a_finish_can_take_the_next_of_its_lane_along(books: Books) -> None:
    for uid in (1, 2):
        books.route(Plan((Step("a", "a"), Step("b", "b"))), uid)
    (first,) = books.ledger.claim(Kind.JOB, 30.0, {"a": 1})
    accepted, following = books.ledger.relay(first, OK, Decision(Status.DONE), 31.0, "a").result()
    assert (accepted, [(work.name, work.place.uid, work.attempt) for work in following]) == (True, [("a", 2, 1)])
    assert books.ledger.relay(following[0], OK, Decision(Status.DONE), 32.0, "a").result() == (True, [])
    assert books.ledger.relay(first, OK, Decision(Status.DONE), 33.0, "a").result() == (False, []), (
        "an old attempt was accepted"
    )


def test_a_lot_may_stay_in_one_folder(books: Books) -> None:
    for uid, folder in ((1, "INBOX"), (2, "Other"), (3, "INBOX")):
        books.receive(arrival(uid, folder=folder))
    works = books.ledger.claim_lot(Kind.UNPACK, 10.0, "", 10, one_folder=True)
    assert [(work.place.folder, work.place.uid) for work in works] == [("INBOX", 1), ("INBOX", 3)]
    assert len(books.ledger.claim_lot(Kind.UNPACK, 10.0, "", 10)) == 1


def test_what_has_crashed_goes_alone(books: Books) -> None:
    for uid in (1, 2, 3):
        books.route(Plan((Step("one", "r"),)), uid)
    crashed = books.claim(Kind.JOB)
    books.end(crashed, Outcome(Verdict.CRASHED, "killed"), now=20.0)
    assert {work.mail for work in books.ledger.claim_lot(Kind.JOB, 1000.0, "one", 10)} == {2, 3}
    assert [work.mail for work in books.ledger.claim_lot(Kind.JOB, 1000.0, "one", 10)] == [crashed.mail]


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_only_the_moves_of_the_table_are_made(books: Books, before: Status, after: Status) -> None:
    books.receive(arrival(1))
    books.database.writer.execute("UPDATE work SET status = ?", (before,))
    if after in MOVES[before]:
        move(books.database.writer, 1, after, 1.0)
    else:
        with pytest.raises(AssertionError, match="can't go"):
            move(books.database.writer, 1, after, 1.0)


def test_retry_by_hand_starts_anew_and_its_success_lets_the_actions_go(books: Books) -> None:
    books.route(TWO)
    dead = books.claim(Kind.JOB)
    books.end(dead, NEVER)
    books.end(books.claim(Kind.JOB, 30.0), OK)
    books.desk.retry(dead.id, 50.0)
    again = books.claim(Kind.JOB, 60.0)
    assert (again.id, again.attempt, again.tries) == (dead.id, 2, 1)
    books.end(again, OK)
    assert books.states("after")["seen"] == "waiting"


def test_retry_by_hand_lets_what_waits_for_a_time_run_now(books: Books) -> None:
    books.route(Plan((Step("one", "r"),)))
    held = books.claim(Kind.JOB)
    books.end(held, Outcome(Verdict.HOLD, "not executable", delay=300.0))
    assert books.claim_all(Kind.JOB, 51.0) == []
    books.desk.retry(held.id, 50.0)
    assert books.claim(Kind.JOB, 51.0).id == held.id
    with pytest.raises(NotPossible, match=f"job {held.id} is running"):
        books.desk.retry(held.id, 60.0)


def test_dropped_work_leaves_the_server_alone(books: Books) -> None:
    books.route(Plan((Step("one", "r"),), (SEEN,)))
    work = books.claim(Kind.JOB)
    books.end(work, NEVER)
    books.desk.drop(work.id, 50.0)
    assert books.states() == {"unpack": "done", "one": "skipped", "seen": "skipped"}
    for refused in (books.desk.drop, books.desk.retry):
        with pytest.raises(NotPossible, match=f"job {work.id} is skipped"):
            refused(work.id, 60.0)


def test_dropping_a_step_gives_the_next_its_turn(books: Books) -> None:
    books.route(TWO)
    books.desk.drop(books.desk.entries(Filter(handler="one"))[0].id, 10.0)
    assert books.states("job") == {"one": "skipped", "two": "waiting"}
    assert books.desk.clear(100.0, 100.0) == [], "a mail with an open job was cleared away"


def test_work_that_ends_the_daemon_each_time_is_given_up(books: Books) -> None:
    books.route(TWO)
    for life in range(1, 5):
        found = books.claim_all(Kind.JOB, 1000.0 * life, most=1)
        books.database.close()
        books.boot = f"life {life}"
        books.__post_init__()
        books.ledger.recover(1000.0 * life, lambda kind, name: 3)
        if not found:
            break
    assert books.states("job")["one"] == "dead"
    assert "the daemon ended while it ran" in books.desk.entries(Filter(status="dead"))[0].reason


def test_time_on_hold_is_no_age(books: Books) -> None:
    books.route(Plan((Step("one", "r"),)))
    held = books.claim(Kind.JOB, 10.0)
    assert books.ledger.finish(held, Outcome(Verdict.HOLD), Decision(Status.WAITING, 20.0, free=True), 11.0)
    assert books.claim(Kind.JOB, 200_000.0).first_at == 200_000.0


def test_history_tells_every_move(books: Books) -> None:
    books.route(TWO)
    work = books.claim(Kind.JOB)
    books.end(work, replace(LATER, output="it printed this"))
    entry, history = books.desk.show(work.id)
    assert [(a.attempt, a.status, a.reason) for a in history] == [(1, "running", ""), (1, "waiting", "why")]
    assert entry.output == "it printed this"


def test_finished_mails_are_cleared_away_but_never_forgotten(books: Books) -> None:
    books.route(Plan((Step("one", "r"),)))
    assert books.desk.clear(100.0, 100.0) == [], "a mail with open work was cleared away"
    books.end(books.claim(Kind.JOB), OK, now=20.0)
    assert books.desk.clear(19.0, 19.0) == []
    assert books.desk.clear(21.0, 0.0) == ["a-INBOX-1"]
    assert books.desk.entries() == []
    assert books.desk.keys() == set()
    assert len(books.receive(arrival(9, message_id="<1@example.com>", digest="digest 1"))) == 1, "handled anew"


def test_dead_letters_are_kept_longer(books: Books) -> None:
    books.route(Plan((Step("one", "r"),)))
    books.end(books.claim(Kind.JOB), NEVER, now=20.0)
    assert books.desk.clear(21.0, 19.0) == []
    assert books.desk.clear(0.0, 21.0) == ["a-INBOX-1"]


def test_fresh_mails_go_before_the_backlog(books: Books) -> None:
    now = NOON.timestamp() + 7200.0
    fresh = NOON + timedelta(seconds=7000)
    books.receive(arrival(1), arrival(2), arrival(3, received=fresh), now=now)
    works = books.claim_all(Kind.UNPACK, now)
    assert [work.place.uid for work in works] == [3, 1, 2]
    for work in sorted(works, key=lambda work: work.place.uid):
        books.end(work, Outcome(Verdict.DONE, plan=Plan((Step("one", "r"),))), now)
    assert [lane.due for lane in books.ledger.lanes(Kind.JOB)] == [now]
    assert [books.claim(Kind.JOB, now).place.uid for _ in works] == [3, 1, 2]
