"""A stage: takes its kind of work, does it at most so often at once, writes down what came of it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.conftest import Books, arrival
from watcher.craft import Craft, Lot
from watcher.lanes import Bell
from watcher.model import Kind, Outcome, Plan, Step, Verdict, Work
from watcher.retry import RetryPolicy
from watcher.stage import Stage
from watcher.store.desk import Filter

PATIENCE = 15.0


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    opened = Books(tmp_path)
    yield opened
    opened.database.close()


def fill(books: Books, *handlers: str, mails: int = 1) -> None:
    for uid in range(1, mails + 1):
        books.route(Plan(tuple(Step(name, f"chain {name}") for name in handlers)), uid)


class Doing(Craft):
    """A craft of which a test says what it needs: `do` for each piece, `given` in place of the rest."""

    kind = Kind.JOB
    workers = 4

    def __init__(self, do: Callable[[Work], Outcome], **given: object) -> None:
        self.do = do
        vars(self).update(given)

    def act(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
        return ((work, self.do(work)) for work in works)

    def policy(self, work: Work) -> RetryPolicy:
        return RetryPolicy(attempts=3, first=0.05, jitter=0.0)


def at_work(books: Books, craft: Craft, failures: list[BaseException], *downstream: Stage) -> Stage:
    return Stage(craft, books.ledger, downstream, ended=lambda *_: None, on_failure=failures.append)


def stage(books: Books, do: Callable[[Work], Outcome], failures: list[BaseException], **given: object) -> Stage:
    return at_work(books, Doing(do, **given), failures)


def wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_all_work_is_done_once(books: Books) -> None:
    fill(books, "one", "two", mails=30)
    ran: list[tuple[int, str]] = []
    running = stage(books, lambda work: ran.append((work.mail, work.name)) or Outcome(Verdict.DONE), [])
    running.start()
    wait(lambda: books.desk.counts()["job"] == {"done": 60})
    running.stop()
    assert running.join(PATIENCE)
    assert len(ran) == len(set(ran)) == 60


def test_what_nobody_needs_is_ended_also_where_work_never_ends(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.stage.LONGEST_REST", 0.05)
    fill(books, "one", mails=200)
    rested = threading.Event()
    running = stage(books, lambda _: Outcome(Verdict.DONE), [], workers=1, lot=lambda _: Lot(1), rest=rested.set)
    running.start()
    assert rested.wait(PATIENCE)
    running.stop()
    assert running.join(PATIENCE)
    assert books.desk.counts()["job"].get("waiting"), "it rested in the middle of its work"


def test_a_failure_is_tried_again_when_due_and_given_up_at_last(books: Books) -> None:
    fill(books, "one")
    attempts = []
    running = stage(books, lambda work: attempts.append(work.attempt) or Outcome(Verdict.LATER, "not yet"), [])
    running.start()
    wait(lambda: books.desk.counts()["job"] == {"dead": 1})
    running.stop()
    running.join()
    assert attempts == [1, 2, 3]
    assert books.desk.entries(Filter(kind="job"))[0].reason == "gave up after 3 attempts: not yet"


def test_a_handler_runs_no_more_often_at_once_than_it_may_and_keeps_nobody_else_waiting(books: Books) -> None:
    fill(books, "slow", "quick", mails=6)
    lock, at_once, most = threading.Lock(), [0], [0]
    release = threading.Event()

    def act(work: Work) -> Outcome:
        if work.name == "slow":
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            assert release.wait(PATIENCE)
            with lock:
                at_once[0] -= 1
        return Outcome(Verdict.DONE)

    running = stage(books, act, [], limit=lambda name: 2)
    running.start()
    wait(lambda: books.desk.counts()["job"].get("done") == 6)
    assert books.desk.counts()["job"] == {"done": 6, "running": 2, "waiting": 4}
    release.set()
    wait(lambda: books.desk.counts()["job"] == {"done": 12})
    running.stop()
    running.join()
    assert most == [2]


def test_a_handler_on_hold_uses_no_attempts_and_is_looked_at_by_one(books: Books) -> None:
    fill(books, "broken", "fine", mails=5)
    mended = threading.Event()
    looks = []

    def act(work: Work) -> Outcome:
        if work.name == "broken" and not mended.is_set():
            looks.append(work.id)
            return Outcome(Verdict.HOLD, "not executable", delay=0.3)
        return Outcome(Verdict.DONE)

    running = stage(books, act, [], workers=1)
    running.start()
    wait(lambda: books.desk.counts()["job"].get("done") == 5)
    assert len(looks) <= 3, "each mail tried the broken handler for itself"
    mended.set()
    wait(lambda: books.desk.counts()["job"] == {"done": 10})
    running.stop()
    running.join()


def test_a_hold_is_told_once_until_the_handler_is_sound_again(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    """Also where it is tried in between, and fails."""
    fill(books, "one", mails=3)
    verdicts = [Verdict.HOLD, Verdict.LATER, Verdict.HOLD, Verdict.DONE, Verdict.HOLD]

    def act(work: Work) -> Outcome:
        verdict = verdicts.pop(0) if verdicts else Verdict.DONE
        return Outcome(verdict, "why", delay=0.1 if verdict is Verdict.HOLD else None)

    running = stage(books, act, [], workers=1)
    running.start()
    wait(lambda: books.desk.counts()["job"] == {"done": 3})
    running.stop()
    running.join()
    assert len([record for record in caplog.records if "on hold" in record.message]) == 2


def test_a_bug_ends_it_all(books: Books) -> None:
    fill(books, "one")
    failures: list[BaseException] = []
    running = stage(books, lambda work: 1 / 0, failures)
    running.start()
    wait(lambda: failures)
    running.stop()
    running.join()
    assert isinstance(failures[0], ZeroDivisionError)


def test_stop_lets_what_runs_end(books: Books) -> None:
    fill(books, "one", mails=3)
    started, release = threading.Event(), threading.Event()

    def act(work: Work) -> Outcome:
        started.set()
        release.wait(PATIENCE)
        return Outcome(Verdict.DONE)

    running = stage(books, act, [], workers=1)
    running.start()
    assert started.wait(PATIENCE)
    running.stop()
    assert not running.join(0.05)
    release.set()
    assert running.join(PATIENCE)
    assert books.desk.counts()["job"] == {"done": 1, "waiting": 2}


def commits_of(books: Books) -> list[str]:
    commits: list[str] = []
    books.database.writer.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
    return commits


def test_work_is_claimed_in_the_commit_that_makes_it_due(books: Books) -> None:
    """A mail costs three: it is entered and claimed, taken apart and its job claimed, handled."""
    jobs = stage(
        books,
        lambda _: Outcome(Verdict.DONE),
        [],
        due_after=lambda outcome: [step.handler for step in outcome.plan.steps],
    )
    plan = Plan((Step("one", "chain"),))
    unpacking = Doing(lambda _: Outcome(Verdict.DONE, plan=plan), kind=Kind.UNPACK, workers=1)
    unpack = at_work(books, unpacking, [], jobs)
    cursor = books.open()
    commits = commits_of(books)
    receiving = books.folders.receiving(replace(cursor, next_uid=2), [arrival(1)], [], time.time())
    unpack.claim_along([""])
    assert receiving.result() == []
    wait(lambda: books.desk.counts().get("job") == {"done": 1} and not unpack.roster.busy() and not jobs.roster.busy())
    assert len(commits) == 3
    for running in (unpack, jobs):
        running.start()
        running.stop()
        running.join()


@pytest.mark.parametrize("why", ["no room", "on hold", "in lots", "somebody claims", "the end"])
def test_what_may_not_be_claimed_at_once_waits_for_its_turn(books: Books, why: str) -> None:
    given: dict[str, object] = {"no room": {"limit": lambda _: 0}, "in lots": {"lot": lambda _: Lot(5)}}.get(why, {})
    running = stage(books, lambda _: Outcome(Verdict.DONE), [], **given)
    if why == "on hold":
        running.roster.hold("one", time.time() + 60, sound=False)
    if why == "the end":
        running.stop()
    fill(books, "one")
    if why == "somebody claims":
        with running.claiming:
            running.claim_along(["one"])
    else:
        running.claim_along(["one"])
    assert books.desk.counts()["job"] == {"waiting": 1}
    assert running.roster.busy() == 0


def test_a_claim_that_is_repeated_while_the_disk_is_full_is_one_claim(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.store.database.AGAIN", 0.01)
    fill(books, "one", mails=2)
    handed: list[int] = []
    running = stage(books, lambda work: handed.append(work.id) or Outcome(Verdict.DONE), [], workers=1)
    pages = books.database.writer.execute("PRAGMA page_count").fetchone()[0]
    books.database.writer.execute(f"PRAGMA max_page_count = {pages}")
    growing = books.database.propose(
        lambda db: db.executemany("INSERT INTO meta VALUES (?, ?)", [(f"n{n}", "x" * 4000) for n in range(50)])
    )
    claiming = threading.Thread(target=running.claim_along, args=[["one"]])
    claiming.start()
    wait(lambda: books.database.trouble)
    assert handed == []
    books.database.writer.execute("PRAGMA max_page_count = 100000")
    claiming.join(PATIENCE)
    growing.result()
    wait(lambda: books.desk.counts()["job"] == {"done": 2} and not running.roster.busy())
    assert sorted(handed) == sorted(set(handed))
    running.start()
    running.stop()
    running.join()


def test_work_that_comes_in_wakes_an_idle_stage(books: Books) -> None:
    running = stage(books, lambda work: Outcome(Verdict.DONE), [])
    running.start()
    books.receive(arrival(1))
    fill(books, "one")
    running.bell.ring()
    wait(lambda: books.desk.counts().get("job") == {"done": 1})
    running.stop()
    running.join()


def test_a_ring_before_the_waiting_is_heard() -> None:
    bell = Bell()
    heard = bell.rings
    bell.ring()
    began = time.monotonic()
    bell.wait(heard, PATIENCE)
    assert time.monotonic() - began < PATIENCE


def test_hanging_handlers_starve_no_other(books: Books) -> None:
    hanging = [f"hangs {number}" for number in range(4)]
    fill(books, *hanging, "fine", mails=6)
    release = threading.Event()

    def act(work: Work) -> Outcome:
        if work.name in hanging:
            release.wait(PATIENCE)
        return Outcome(Verdict.DONE)

    running = stage(books, act, [], workers=2, own=True, limit=lambda _: 2)
    running.start()
    wait(lambda: books.desk.counts()["job"].get("done") == 6)
    assert books.desk.counts()["job"]["running"] <= 2 + len(hanging)
    release.set()
    wait(lambda: books.desk.counts()["job"] == {"done": 30})
    running.stop()
    running.join()


def test_a_lot_goes_together_when_it_is_full_or_has_waited(books: Books) -> None:
    fill(books, "many", "single", mails=7)
    lots = []

    class Lots(Doing):
        def act(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
            lots.append((works[0].name, len(works)))
            return super().act(works)

        def lot(self, lane: str) -> Lot | None:
            return Lot(5, wait=1.0) if lane == "many" else None

    running = at_work(books, Lots(lambda _: Outcome(Verdict.DONE), workers=2), [])
    for number in range(7):  # received long ago, as far as the clock of this test goes
        books.database.write(
            lambda db, n=number: db.execute(
                "UPDATE work SET due = ? WHERE mail = ? AND kind = 'job'", (time.time(), n + 1)
            )
        )
    running.start()
    wait(lambda: books.desk.counts()["job"] == {"done": 14})
    running.stop()
    running.join()
    assert [size for name, size in lots if name == "many"] == [5, 2]
    assert [size for name, size in lots if name == "single"] == [1] * 7


def test_a_hold_by_a_limit_of_our_own_alarms_nobody(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    fill(books, "one", mails=3)
    holds = [Outcome(Verdict.HOLD, "rate", delay=0.1, foreseen=True), Outcome(Verdict.HOLD, "broken", delay=0.1)]
    running = stage(books, lambda _: holds.pop(0) if holds else Outcome(Verdict.DONE), [], workers=1)
    running.start()
    wait(lambda: books.desk.counts()["job"] == {"done": 3})
    running.stop()
    running.join()
    told = [record.message for record in caplog.records if "on hold" in record.message]
    assert [("rate" in line, "broken" in line) for line in told] == [(False, True)]


def test_what_is_on_hold_is_tried_again_when_told(books: Books) -> None:
    fill(books, "broken", mails=2)
    mended = threading.Event()

    def act(work: Work) -> Outcome:
        return Outcome(Verdict.DONE) if mended.is_set() else Outcome(Verdict.HOLD, "not executable", delay=3600.0)

    running = stage(books, act, [], limit=lambda _: 1)
    running.start()
    wait(lambda: running.roster.held)
    mended.set()
    running.resume()
    wait(lambda: books.desk.counts()["job"] == {"done": 2})
    running.stop()
    running.join()
