"""`replay` on the state of a daemon that does not run; with one that does, see tests/system/test_workshop.py."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.cli.inside import run_inside
from watcher.cli.replay import described, since_when
from watcher.cursor import Anchor, Arrival
from watcher.model import Kind, Outcome, Place, Plan, Step, Verdict
from watcher.retry import RetryPolicy, decide
from watcher.store.database import Database
from watcher.store.desk import Desk, Filter
from watcher.store.folders import Folders
from watcher.store.ledger import Ledger

OLD, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC)
CONFIG = """
[account.me]
address = "me@example.com"
password = { env = "NEVER_ASKED" }

[watcher]
state = "state"
"""


@pytest.fixture
def home(tmp_path):
    """A state with three mails on which `book` failed: an old one and one of today from Ann, one from Bob."""
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "config.toml").chmod(0o600)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    for uid, sender, subject, received in (
        (1, "ann@example.org", "Invoice 1", OLD),
        (2, "ann@example.org", "Invoice 2", NOW),
        (3, "bob@example.net", "Lunch", NOW),
    ):
        come(state, uid, sender, subject, received, Verdict.NEVER)
    return tmp_path


def come(state, uid, sender, subject, received, verdict):
    """A mail on which the handler `book` has run."""
    key = f"mail{uid}"
    folder = state / "spool" / key
    folder.mkdir(parents=True)
    folder.joinpath("message.json").write_text(json.dumps({"from": [{"address": sender}], "subject": subject}))
    database = Database(state)
    try:
        ledger, folders = Ledger(database, "boot", "machine"), Folders(database)
        cursor = folders.take("me", "INBOX")
        cursor = cursor if cursor.epoch else folders.anchor(cursor, Anchor(7, 1), 0.0)
        digests = {"message_id": f"<{uid}@x>", "digest": f"d{uid}", "body_digest": f"b{uid}"}
        arrival = Arrival(key=key, place=Place("me", "INBOX", 7, uid), received=received, size=9, **digests)
        folders.receive(replace(cursor, next_uid=uid + 1), [arrival], [], 1.0)
        for kind, outcome in (
            (Kind.UNPACK, Outcome(Verdict.DONE, plan=Plan((Step("book", "r"),)))),
            (Kind.JOB, Outcome(verdict, "it is closed")),
        ):
            [lane] = ledger.lanes(kind)
            [work] = ledger.claim(kind, time.time(), {lane.name: 1})
            ledger.finish(work, outcome, decide(outcome, work, RetryPolicy(), time.time()), time.time())
    finally:
        database.close()


def run(home, *arguments):
    return run_inside("--config", str(home / "config.toml"), "replay", *arguments)


def found(home, *arguments):
    done = run(home, *arguments, "--json")
    return [piece["subject"] for piece in json.loads(done.stdout)]


def states(home):
    database = Database(home / "state")
    try:
        return [(entry.key, entry.status) for entry in reversed(Desk(database).entries(Filter(kind="job")))]
    finally:
        database.close()


def test_what_is_meant(home):
    assert found(home, "--dry-run") == ["Invoice 1", "Invoice 2", "Lunch"]
    assert found(home, "--dry-run", "--since", "2d", "--from", "ANN@*") == ["Invoice 2"]
    assert found(home, "--dry-run", "--subject", "invoice*", "--handler", "book", "--account", "me") == [
        "Invoice 1", "Invoice 2",
    ]  # fmt: skip
    assert found(home, "--dry-run", "--handler", "other") == []
    assert found(home, "--dry-run", "--status", "done") == []
    assert {state for _, state in states(home)} == {"dead"}, "a dry run changed something"


def test_dead_letters_come_back(home):
    done = run(home, "--from", "bob@*")
    assert done.returncode == 0
    assert "'Lunch' from bob@example.net" in done.stdout
    assert done.stdout.endswith("1 found, 1 to be run again\n")
    assert sorted(states(home)) == [("mail1", "dead"), ("mail2", "dead"), ("mail3", "waiting")]


def test_what_is_done_needs_a_word_more(home):
    come(home / "state", 4, "carl@example.org", "Done", NOW, Verdict.DONE)
    refused = run(home, "--status", "done")
    assert refused.returncode == 2
    assert "only with --again" in refused.stderr
    assert run(home, "--status", "done", "--again").returncode == 0
    assert [state for key, state in states(home) if key == "mail4"] == ["done", "waiting"]


def test_many_are_asked_about(home):
    for uid in range(10, 29):
        come(home / "state", uid, "x@example.org", "many", NOW, Verdict.NEVER)
    refused = run(home)
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert {state for _, state in states(home)} == {"dead"}
    assert run(home, "--yes").stdout.endswith("22 found, 22 to be run again\n")


@pytest.mark.parametrize("since", ["yesterday", "2 weeks", "-1d"])
def test_a_time_that_is_none(home, since):
    done = run(home, "--since", since, "--dry-run")
    assert done.returncode == 2
    assert "6h, 2d or 2026-11-20" in done.stderr.replace("\n", " ").replace("│", "")


@pytest.mark.parametrize(
    "facts", ["[]", '{"from": 7, "subject": "x"}', "7", "[" * 100_000, '{"from": [], "subject": null}']
)
def test_facts_that_a_handler_has_spoilt(tmp_path, facts):
    (tmp_path / "spool" / "k").mkdir(parents=True)
    (tmp_path / "spool" / "k" / "message.json").write_text(facts)
    names = ("id", "name", "account", "folder", "uid", "received", "reason", "key")
    assert described(tmp_path, dict.fromkeys(names, 0) | {"key": "k"}).sender == ""


def test_a_time_of_another_zone():
    assert since_when("2026-11-20T02:00+02:00", 0.0) == since_when("2026-11-20", 0.0)
