"""Work that is done is done again: beside what is recorded, and nothing else with it."""

import pytest

from tests.store.conftest import Books
from watcher.model import Action, Kind, Outcome, Plan, Step, Verb, Verdict
from watcher.store.desk import NotPossible

OK = Outcome(Verdict.DONE)
SEEN = Action(Verb.SEEN)


@pytest.fixture
def done(books: Books) -> int:
    """Number of a job that is done, of a mail that is settled."""
    books.route(Plan((Step("one", "r"),), then=(SEEN,)))
    work = books.claim(Kind.JOB)
    books.end(work, OK)
    books.end(books.claim(Kind.AFTER, now=20.0), OK)
    return work.id


def test_it_runs_beside_the_record(books: Books, done) -> None:
    made = books.desk.again(done, 50.0)
    again = books.claim(Kind.JOB, now=50.0)
    assert (again.id, again.name, again.replay, again.attempt, again.tries) == (made, "one", True, 1, 1)
    assert books.desk.show(done)[0].status == "done", "the first record is touched"
    books.end(again, Outcome(Verdict.DONE, actions=(SEEN, Action(Verb.FLAG, "$New"))), 60.0)
    assert books.states("after") == {"seen": "done", "flag $New": "waiting"}, "what was done is not done twice"
    assert books.desk.clear(100.0, 100.0) == [], "an action is open"


def test_it_can_fail_and_be_retried_as_any_job(books: Books, done) -> None:
    made = books.desk.again(done, 50.0)
    books.end(books.claim(Kind.JOB, now=50.0), Outcome(Verdict.NEVER, "no"), 60.0)
    assert books.desk.show(made)[0].status == "dead"
    books.desk.retry(made, 70.0)
    assert books.claim(Kind.JOB, now=70.0).replay


def test_several_times(books: Books, done) -> None:
    numbers = {books.desk.again(done, 50.0), books.desk.again(done, 50.0)}
    assert {work.id for work in books.claim_all(Kind.JOB, now=50.0)} == numbers


def test_what_was_not_done_or_is_not_kept(books: Books, done) -> None:
    made = books.desk.again(done, 50.0)
    with pytest.raises(NotPossible, match="is waiting; only done"):
        books.desk.again(made, 50.0)
    with pytest.raises(NotPossible, match="there is no job 99"):
        books.desk.again(99, 50.0)
    books.end(books.claim(Kind.JOB, now=50.0), OK, 60.0)
    assert books.desk.clear(100.0, 100.0)
    with pytest.raises(NotPossible):
        books.desk.again(done, 110.0)
