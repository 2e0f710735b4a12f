"""What the commands may ask, and what is refused before it reaches the ledger."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.conftest import Books
from watcher.model import Outcome, Plan, Step, Verdict
from watcher.service.control import Refused
from watcher.service.counter import LARGEST, Counter
from watcher.store.desk import NotPossible


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    opened = Books(tmp_path)
    opened.route(Plan((Step("book", "r"),)))
    opened.end(opened.claim("job"), Outcome(Verdict.NEVER, "no", output="x" * 1000))
    yield opened
    opened.database.close()


@pytest.fixture
def counter(books: Books) -> Counter:
    return Counter(books.desk, lambda: None)


def test_the_list_leaves_out_what_handlers_printed(counter: Counter) -> None:
    (row,) = counter({"verb": "jobs", "status": "dead"})
    assert (row["name"], row["reason"]) == ("book", "no")
    assert "output" not in row
    assert counter({"verb": "job", "number": row["id"]})["output"] == "x" * 1000
    assert json.dumps(row)


@pytest.mark.parametrize("verb", ["job", "retry", "drop"])
@pytest.mark.parametrize(
    "number", ["99999999999999999999", "-1", "0", "1.5", "true", "null", '"1"', "[1]", '{"a": 1}', "1e400", "NaN"]
)
def test_what_is_no_number_of_a_job_is_refused(counter: Counter, verb: str, number: str) -> None:
    with pytest.raises(Refused, match="number can't be"):
        counter({"verb": verb, "number": json.loads(number)})


def test_the_largest_number_is_one(counter: Counter) -> None:
    with pytest.raises(NotPossible, match="there is no job"):
        counter({"verb": "job", "number": LARGEST})


@pytest.mark.parametrize(
    "filters",
    [{"limit": LARGEST + 1}, {"limit": "1"}, {"limit": None}, {"status": 5}, {"account": ["a"]}, {"kind": "\ud800"}],
)
def test_filters_that_make_no_sense_are_refused(counter: Counter, filters: dict[str, object]) -> None:
    with pytest.raises(Refused, match="can't be"):
        counter({"verb": "jobs", **filters})


@pytest.mark.parametrize("asked", [{"verb": "job"}, {"verb": "jobs", "size": 1}, {"verb": ["jobs"]}, {}])
def test_what_fits_no_verb_is_refused(counter: Counter, asked: dict[str, object]) -> None:
    with pytest.raises(Refused):
        counter(asked)


def test_a_bug_stays_one(books: Books) -> None:
    def ring() -> None:
        raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        Counter(books.desk, ring)({"verb": "drop", "number": 2})
