"""What is erased is forgotten, but not that it was handled. All of it through a daemon: tests/system/test_erase.py."""

from pathlib import Path

import pytest

from tests.store.conftest import Books, arrival
from watcher.model import Outcome, Plan, Step, Verdict
from watcher.posting import Posting
from watcher.store.erasure import Erasure, Target
from watcher.store.outgoing import post

CANARY = "canary of the output"
IDENTITY = "<1@example.com>"


@pytest.fixture
def erasure(books: Books) -> Erasure:
    return Erasure(books.database)


def files_with(state: Path, word: str) -> list[str]:
    return [path.name for path in state.iterdir() if path.is_file() and word.encode() in path.read_bytes()]


def letter(key: str, to: str) -> Posting:
    return Posting(key, "a", "echo", "me@example.com", (to,), f"<{key}@example.com>", "digest", 10)


def test_it_is_not_received_again_and_its_work_is_gone(books: Books, erasure: Erasure) -> None:
    books.route(Plan((Step("book", "r"),)))
    (trace,) = erasure.erase(Target(message_id=IDENTITY), 30.0)
    assert (trace.key, trace.account, trace.uid, trace.jobs, trace.letter) == ("a-INBOX-1", "a", 1, 2, 0)
    assert books.states() == {}
    assert books.desk.keys() == set()
    assert books.receive(arrival(1, key="once more")), "known already"
    assert books.receive(arrival(2, message_id=IDENTITY, digest="digest 1", body_digest="body 1")), (
        "in another place too"
    )
    assert erasure.find(Target(message_id=IDENTITY)) == []


def test_nothing_is_erased_while_a_job_runs(books: Books, erasure: Erasure) -> None:
    books.route(Plan((Step("book", "r"),)))
    work = books.claim("job")
    (busy,) = erasure.erase(Target(message_id=IDENTITY), 30.0)
    assert busy.running == work.id
    assert books.states() == {"unpack": "done", "book": "running"}
    books.end(work, Outcome(Verdict.DONE))
    (trace,) = erasure.erase(Target(keys=["a-INBOX-1"]), 30.0)
    assert trace.running is None
    assert books.states() == {}


def test_letters_of_any_alphabet_are_found_by_address(books: Books, erasure: Erasure) -> None:
    for number, to in enumerate(("Änn@example.org", "ann@example.org", "ÄNN@EXAMPLE.ORG")):
        books.database.write(lambda db, key=f"k{number}", to=to: post(db, letter(key, to), 20.0))
    assert [trace.key for trace in erasure.find(Target(addresses=["änn@example.org"]))] == ["k0", "k2"]


def test_what_stands_behind_it_in_its_line_goes_on(books: Books, erasure: Erasure) -> None:
    for uid in (1, 2):
        books.route(Plan((Step("book", "r", line="ann"),)), uid)
    erasure.erase(Target(message_id=IDENTITY), 30.0)
    assert books.claim("job", 40.0).place.uid == 2


def test_a_mail_that_nobody_has_read_yet_lets_those_behind_it_go(books: Books, erasure: Erasure) -> None:
    books.receive(arrival(1), arrival(2))
    first, second = books.claim_all("unpack")
    books.end(second, Outcome(Verdict.DONE, plan=Plan((Step("book", "r", line=""),))))
    books.end(first, Outcome(Verdict.LATER))
    assert books.states("job") == {"book": "waiting*"}
    erasure.erase(Target(message_id=IDENTITY), 30.0)
    assert books.claim("job", 40.0).place.uid == 2


def test_letters_that_came_of_it_or_went_to_the_person_go_too(books: Books, erasure: Erasure) -> None:
    books.route(Plan((Step("echo", "r"),)))
    books.end(books.claim("job"), Outcome(Verdict.DONE, postings=(letter("reply", "ann@example.com"),)))
    books.database.write(lambda db: post(db, letter("to her", "Ann@example.com"), 30.0))
    books.database.write(lambda db: post(db, letter("to him", "bob@example.com"), 30.0))
    assert [trace.key for trace in erasure.find(Target(message_id=IDENTITY))] == ["a-INBOX-1", "reply"]
    assert [trace.key for trace in erasure.find(Target(addresses=["ann@example.com"]))] == ["reply", "to her"]
    assert erasure.find(Target(addresses=["ann@example.com"], account="b")) == []
    erasure.erase(Target(keys=["a-INBOX-1"], addresses=["ann@example.com"]), 40.0)
    assert books.states() == {"echo bob@example.com": "waiting"}


@pytest.mark.parametrize("account", ["a", "b"])
def test_of_several_accounts_one_may_be_meant(books: Books, erasure: Erasure, account: str) -> None:
    for each in ("a", "b"):
        books.receive(arrival(1, account=each))
    assert [trace.account for trace in erasure.find(Target(message_id=IDENTITY))] == ["a", "b"]
    assert [trace.account for trace in erasure.find(Target(message_id=IDENTITY, account=account))] == [account]


def test_no_byte_stays_in_the_files_whatever_sqlite_was_built_for(books: Books, erasure: Erasure) -> None:
    books.database.writer.execute("PRAGMA secure_delete = OFF")
    for uid in range(1, 40):
        books.route(Plan((Step("book", "r"),)), uid)
        books.end(books.claim("job"), Outcome(Verdict.NEVER, CANARY, output=CANARY * 300))
    for uid in range(1, 40):
        erasure.erase(Target(message_id=f"<{uid}@example.com>"), 30.0)
    assert files_with(books.state, CANARY), "else this proves nothing"
    erasure.scrub()
    assert not files_with(books.state, CANARY)
    assert not files_with(books.state, "@example.com")
