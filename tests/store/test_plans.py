"""What SQLite makes of the statements: none on the way of a mail reads through all the work there is."""

import re

import pytest

from tests.store.conftest import Books, arrival
from watcher.model import OPEN, Action, Kind, Outcome, Plan, Status, Step, Verb, Verdict
from watcher.store.moves import IS_OPEN

PLAN = Plan((Step("one", "r"), Step("two", "r", "line")), (Action(Verb.SEEN),), (("r", Action(Verb.FLAG, "$a")),))
STATEMENT = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b")
GROWING = re.compile("SCAN (work|later|step|other|earlier|unread|mail)\\b")


def way_of_two_mails(books: Books) -> None:
    books.receive(arrival(1), arrival(2))
    for kind, verdict in ((Kind.UNPACK, Verdict.DONE), (Kind.JOB, Verdict.NEVER), (Kind.JOB, Verdict.DONE)):
        assert books.ledger.waiting(kind)
        assert books.ledger.backlog(kind)
        plan = PLAN if kind is Kind.UNPACK else Plan()
        for work in books.claim_all(kind, 1000.0):
            books.end(work, Outcome(verdict, plan=plan), 1000.0)
    (last,) = books.ledger.claim_lot(Kind.JOB, 1000.0, "two", 5)
    books.end(last, Outcome(Verdict.NEVER), 1000.0)
    books.desk.retry(last.id, 1000.0)
    assert books.ledger.due(Kind.AFTER, "a", 1000.0, 5)
    books.folders.overdue(books.open(), 1000.0)
    books.folders.next_due(books.open(), 1000.0)


def test_nothing_on_the_way_of_a_mail_reads_through_all_work(books: Books) -> None:
    books.open()
    said: set[str] = set()
    for connection in (books.database.writer, books.database.reader):
        connection.set_trace_callback(said.add)
    way_of_two_mails(books)
    plans = {
        (sql, row["detail"])
        for sql in filter(STATEMENT.match, said)
        for row in books.database.read(f"EXPLAIN QUERY PLAN {sql}")
    }
    assert [step for step in plans if GROWING.match(step[1])] == []
    used = {index for _, step in plans for index in re.findall(r"INDEX (work_\w+)", step)}
    assert used == {"work_due", "work_line", "work_turn", "work_unpack", "work_behind"}
    assert [step for sql, step in plans if "FROM place" in sql and "due" in sql and "place_due" not in step] == []


@pytest.mark.parametrize("status", Status)
def test_what_is_open_to_the_ledger_is_so_to_all(books: Books, status: Status) -> None:
    (row,) = books.database.read(f"SELECT {IS_OPEN} FROM (SELECT ? AS status)", (status,))
    assert bool(row[0]) == (status in OPEN)
