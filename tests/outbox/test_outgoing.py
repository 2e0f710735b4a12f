"""Letters in the ledger: each recipient a piece of work, caps that survive, and doubts that are counted."""

import pytest

from tests.store.conftest import Books, books  # noqa: F401 a fixture
from watcher.model import Kind, Outcome, Plan, Step, Verdict
from watcher.posting import Cap, Posting
from watcher.store.desk import Filter
from watcher.store.outgoing import Outgoing

DAY, HOUR = 86400.0, 3600.0


def posting(key="k1", *recipients, **other) -> Posting:
    given = {"relay": "out", "author": "h", "sender": "a@b", "message_id": f"<{key}@b>", "digest": "d", "size": 9}
    return Posting(key=key, recipients=recipients or ("x@y.z",), **{**given, **other})


@pytest.fixture
def outgoing(books):  # noqa: F811
    return Outgoing(books.database)


def sends(books):  # noqa: F811
    return [(e.target, e.status) for e in sorted(books.desk.entries(Filter(kind="send")), key=lambda e: e.id)]


def claim(books, now=10.0):  # noqa: F811
    return books.ledger.claim_lot(Kind.SEND, now, "out", 50)


def test_a_letter_lives_as_its_recipients_do(books, outgoing):  # noqa: F811
    outgoing.post(posting("k1", "a@b.c", "d@e.f"), 1.0)
    outgoing.post(posting("k1", "a@b.c", "d@e.f"), 2.0)  # known already
    first, second = claim(books)
    assert (first.key, first.target, first.name, first.place.account) == ("k1", "a@b.c", "h", "out")
    assert outgoing.letter(first.mail).message_id == "<k1@b>"
    books.end(first, Outcome(Verdict.DONE))
    books.end(second, Outcome(Verdict.NEVER, "no such user"))
    assert sends(books) == [("a@b.c", "done"), ("d@e.f", "dead")]
    assert outgoing.taken_between("out", 0.0, 1e9) == 1
    assert books.desk.keys() == {"k1"}


def test_a_handler_s_mail_is_entered_with_its_end_or_not_at_all(books):  # noqa: F811
    books.route(Plan(steps=(Step("h", "rule"),)))
    work = books.claim(Kind.JOB)
    books.end(work, Outcome(Verdict.LATER, "not now", postings=(posting(),)))
    assert sends(books) == []
    work = books.claim(Kind.JOB, 1000.0)
    books.end(work, Outcome(Verdict.DONE, postings=(posting(),)))
    assert sends(books) == [("x@y.z", "waiting")]


def test_caps_hold_over_restarts(tmp_path):
    caps = (Cap(1, DAY, peer=True, author=True), Cap(3, HOUR, author=True), Cap(5, DAY))
    for number in range(10):
        books = Books(tmp_path, boot=str(number))  # noqa: F811
        answer = posting(f"k{number}", answers=f"p{number // 2}@x", author="g" if number > 7 else "h", caps=caps)
        Outgoing(books.database).post(answer, 100.0 + number)
        states = [status for _, status in sends(books)]
        books.database.close()
    assert states == ["waiting", "skipped"] * 3 + ["skipped", "skipped", "waiting", "skipped"]


def test_a_cap_forgets_with_time(books, outgoing):  # noqa: F811
    for number, now in enumerate((0.0, HOUR, DAY + 1)):
        outgoing.post(posting(f"k{number}", answers="p@x", caps=(Cap(1, DAY, peer=True),)), now)
    assert [status for _, status in sends(books)] == ["waiting", "skipped", "waiting"]


def test_the_end_of_the_daemon_after_the_final_dot_is_a_doubt_and_two_are_the_end(tmp_path):
    books = Books(tmp_path, boot="0")  # noqa: F811
    Outgoing(books.database).post(posting(), 0.0)
    for number, status in enumerate(("waiting", "dead")):
        works = claim(books, 100.0 * (number + 1))
        Outgoing(books.database).mark(works)
        books.database.close()
        books = Books(tmp_path, boot=str(number + 1))
        assert books.ledger.recover(100.0 * (number + 1), lambda *_: 100) == 1
        assert sends(books) == [("x@y.z", status)]
    (entry,) = books.desk.entries(Filter(kind="send"))
    assert "may have arrived" in entry.reason
    books.database.close()


def test_an_answer_takes_the_mark_away(books, outgoing):  # noqa: F811
    outgoing.post(posting(), 0.0)
    for now in (10.0, 1000.0):
        works = claim(books, now)
        assert [work.crashes for work in works] == [0]
        outgoing.mark(works)
        books.end(works[0], Outcome(Verdict.LATER, "450 later"), now)


def test_without_the_dot_no_end_of_the_daemon_is_a_doubt(tmp_path):
    for number in range(4):
        books = Books(tmp_path, boot=str(number))  # noqa: F811
        books.ledger.recover(1000.0 * number, lambda *_: 100)
        Outgoing(books.database).post(posting(), 0.0)
        (work,) = claim(books, 1000.0 * (number + 1))
        assert work.crashes == 0
        books.database.close()


@pytest.mark.parametrize(
    "cap", [{"answers": "p@x", "caps": (Cap(1, DAY, peer=True),)}, {"caps": (Cap(1, DAY, answers=False),)}]
)
def test_a_clock_that_was_wrong_for_a_while_stops_no_mail_for_ever(books, outgoing, cap):  # noqa: F811
    outgoing.post(posting("k1", **cap), 1000 * DAY)
    outgoing.post(posting("k2", **cap), DAY)
    outgoing.post(posting("k3", **cap), 2 * DAY)
    assert [status for _, status in sends(books)] == ["waiting"] * 3
