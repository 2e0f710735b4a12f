"""Jobs that stand in line: one at a time, by the age of their mail, whatever comes between."""

import sqlite3

import pytest

from tests.store.conftest import Books, arrival
from watcher.model import Decision, Kind, Outcome, Plan, Status, Step, Verdict, Work
from watcher.store.desk import Filter

OK, LATER, NEVER, STOP = (Outcome(v, "why") for v in (Verdict.DONE, Verdict.LATER, Verdict.NEVER, Verdict.STOP))
FAR = 1_000_000.0


def one(line: str | None = "") -> Plan:
    return Plan((Step("one", "r", line),))


def due(books: Books, now: float = FAR) -> list[int]:
    """The mails that a handler with places enough would get now."""
    return [work.mail for work in books.claim_all(Kind.JOB, now)]


def test_of_one_line_only_the_first_is_claimed(books: Books) -> None:
    for uid in (1, 2, 3):
        books.route(one(), uid)
    first, second, third = (1, 2, 3)
    (work,) = books.claim_all(Kind.JOB)
    assert (work.mail, due(books)) == (first, [])
    books.end(work, OK)
    (work,) = books.claim_all(Kind.JOB, 30.0)
    assert (work.mail, due(books)) == (second, [])
    books.end(work, OK)
    assert due(books) == [third]


def test_lines_run_beside_each_other(books: Books) -> None:
    for uid, sender in ((1, "ann"), (2, "bob"), (3, "ann"), (4, None)):
        books.route(one(sender), uid)
    assert due(books) == [1, 2, 4]


def test_lines_of_two_handlers_have_nothing_to_do_with_each_other(books: Books) -> None:
    for uid in (1, 2):
        books.route(Plan((Step("one", "a", ""), Step("two", "b", ""))), uid)
    taken = books.ledger.claim(Kind.JOB, FAR, {"one": 9, "two": 9})
    assert [(work.name, work.mail) for work in taken] == [("one", 1), ("two", 1)]


def test_one_that_is_tried_again_later_holds_the_line_until_it_is_dead(books: Books) -> None:
    for uid in (1, 2):
        books.route(one(), uid)
    books.end(books.claim(Kind.JOB), LATER, now=20.0)
    assert due(books, now=25.0) == [], "the second one has passed the first"
    again = books.claim(Kind.JOB, FAR)
    assert (again.mail, again.attempt) == (1, 2)
    books.end(again, NEVER, now=FAR)
    assert due(books) == [2]


def test_a_mail_that_is_not_taken_apart_yet_holds_all_later_ones(books: Books) -> None:
    books.receive(arrival(1), arrival(2), arrival(3))
    first, second, third = books.claim_all(Kind.UNPACK)
    books.end(third, Outcome(Verdict.DONE, plan=one("ann")))
    books.end(second, Outcome(Verdict.DONE, plan=one("bob")))
    assert due(books) == [], "nobody knows yet whose the first one is"
    books.end(first, Outcome(Verdict.DONE, plan=one("ann")))
    assert due(books) == [second.mail, first.mail]


def test_the_end_of_the_first_does_not_let_one_pass_that_nobody_has_read(books: Books) -> None:
    books.receive(arrival(1), arrival(2), arrival(3))
    first, second, third = books.claim_all(Kind.UNPACK)
    books.end(first, Outcome(Verdict.DONE, plan=one()))
    books.end(third, Outcome(Verdict.DONE, plan=one()))
    books.end(books.claim(Kind.JOB, FAR), OK)
    assert due(books) == []
    books.end(second, Outcome(Verdict.DONE, plan=one()))
    assert due(books) == [second.mail]


@pytest.mark.parametrize("verdict", [Verdict.NEVER, Verdict.DONE])
def test_one_that_has_no_job_in_the_end_lets_them_go(books: Books, verdict: Verdict) -> None:
    books.receive(arrival(1), arrival(2))
    first, second = books.claim_all(Kind.UNPACK)
    books.end(second, Outcome(Verdict.DONE, plan=one()))
    books.end(first, Outcome(verdict, "no rule fits, or unreadable"))
    assert due(books) == [second.mail]


def test_a_step_behind_others_in_its_chain_holds_the_line_too(books: Books) -> None:
    chain = Plan((Step("before", "r"), Step("one", "r", "")))
    books.route(chain, 1)
    books.route(one(), 2)
    assert [lane.name for lane in books.ledger.lanes(Kind.JOB)] == ["before"]
    books.end(books.claim(Kind.JOB), OK)
    assert due(books) == [1]


def test_stop_drop_and_retry_keep_the_order(books: Books) -> None:
    for uid in (1, 2, 3, 4):
        books.route(Plan((Step("before", "r"), Step("one", "r", ""))), uid)
    ending = dict(zip((1, 2, 3, 4), (STOP, OK, OK, OK), strict=True))
    for work in books.ledger.claim(Kind.JOB, FAR, {"before": 9}):
        books.end(work, ending[work.mail], now=FAR)
    second = books.claim(Kind.JOB, FAR)
    assert second.mail == 2, "the first was skipped"
    books.end(second, NEVER, now=FAR)
    third = books.claim(Kind.JOB, FAR)
    assert third.mail == 3
    books.desk.retry(second.id, FAR)
    assert due(books) == [], "two of one line at once"
    books.end(third, OK, now=FAR)
    assert due(books) == [2], "the older one goes first"


def test_dropping_the_first_lets_the_next_go(books: Books) -> None:
    for uid in (1, 2):
        books.route(one(), uid)
    books.desk.drop(books.desk.entries(Filter(handler="one"))[-1].id, 10.0)
    assert due(books) == [2]


def test_the_line_outlives_a_crash(books: Books) -> None:
    for uid in (1, 2):
        books.route(one(), uid)
    books.claim(Kind.JOB)
    books.database.close()
    books.boot = "second"
    books.__post_init__()
    books.ledger.recover(30.0, lambda kind, name: 12)
    assert due(books) == [1]


def test_one_that_ends_the_daemon_each_time_lets_the_next_go(books: Books) -> None:
    for uid in (1, 2):
        books.route(one(), uid)
    books.claim(Kind.JOB)
    books.database.close()
    books.boot = "second"
    books.__post_init__()
    books.ledger.recover(30.0, lambda kind, name: 1)
    assert due(books) == [2]


def test_the_ledger_itself_refuses_two_of_one_line(books: Books) -> None:
    for uid in (1, 2):
        books.route(one(), uid)
    with pytest.raises(sqlite3.IntegrityError, match=r"work\.name, work\.line"):
        books.database.writer.execute("UPDATE work SET due = 1.0 WHERE line IS NOT NULL")


def test_a_relay_goes_on_with_the_next_in_line(books: Books) -> None:
    for uid in (1, 2):
        books.route(one(), uid)
    first: Work = books.claim(Kind.JOB)
    _, following = books.ledger.relay(first, OK, Decision(Status.DONE), 30.0, "one").result()
    assert [work.mail for work in following] == [2]
