"""Alerts that mail does not carry go another way, once, and are not sent late; a channel that fails is tried again."""

import json
import logging
import subprocess
import sys

import pytest

from tests.fakes.hook_server import HookServer, Reply
from tests.store.conftest import Books
from watcher.config.alerts import AlertSettings
from watcher.config.secret import PlainSource, Secret
from watcher.config.smtp import Relay
from watcher.model import Address, Decision, Kind, Outcome, Status, Verdict
from watcher.outbox.alarm import Alarm
from watcher.outbox.fallback import AGAIN, PATIENCE, Fallback
from watcher.store.desk import Filter
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

#: One of Apprise's many plugins imports what Python is about to drop, where it is still there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

CANARY = "c4n4ry-t0ken"


class Watch:
    """An alarm that has told of trouble by mail, and the other channel."""

    def __init__(self, state, address):
        self.books = Books(state)
        self.outgoing = Outgoing(self.books.database)
        spool = Spool(state)
        source = PlainSource(Secret(address)) if address else None
        settings = AlertSettings(to=("admin@example.org", "b@example.org"), smtp="out", fallback=source)
        relay = Relay(name="out", sender=Address("", "us@example.com"), host="localhost", port=25, tls="none")
        self.fallback = Fallback(lambda: settings, spool, self.outgoing)
        alarm = Alarm(
            lambda: settings, lambda _: relay, spool, "state-1", lambda posting: self.outgoing.post(posting, 1000.0)
        )
        alarm.emit(logging.makeLogRecord({"name": "watcher.x", "msg": "the disk 盘 is full", "levelno": logging.ERROR}))
        alarm.flush_due(1000.0)

    def flush(self, now):
        self.fallback.flush_due(now)
        if self.fallback.thread:
            self.fallback.thread.join(60)

    def states(self):
        return sorted(entry.status for entry in self.books.desk.entries(Filter(kind="send")))


@pytest.fixture
def server():
    with HookServer() as running:
        yield running


@pytest.fixture
def watch(tmp_path, server):
    made = Watch(tmp_path, f"json://127.0.0.1:{server.server_port}/{CANARY}")
    yield made
    made.books.database.close()


def test_what_is_stuck_is_told_once_and_not_sent_any_more(watch, server):
    watch.flush(1000.0 + PATIENCE)
    assert server.requests == []
    watch.flush(1001.0 + PATIENCE)
    (request,) = server.requests
    told = json.loads(request.body)
    assert (told["title"], "the disk 盘 is full" in told["message"]) == ("imap-watcher: the disk 盘 is full", True)
    assert watch.states() == ["skipped", "skipped"]
    watch.flush(1001.0 + PATIENCE + 2 * AGAIN)
    assert len(server.requests) == 1


def test_what_was_sent_to_all_is_not_told(watch, server):
    for work in watch.books.ledger.claim_lot(Kind.SEND, 1001.0, "out", 10):
        watch.books.ledger.finish(work, Outcome(Verdict.DONE), Decision(Status.DONE), 1001.0)
    watch.flush(2000.0)
    assert server.requests == []


def test_what_was_given_up_is_told(watch, server):
    for work in watch.books.ledger.claim_lot(Kind.SEND, 1001.0, "out", 10):
        watch.books.ledger.finish(work, Outcome(Verdict.NEVER), Decision(Status.DEAD, reason="550"), 1001.0)
    watch.flush(2000.0)
    assert len(server.requests) == 1
    assert watch.states() == ["skipped", "skipped"]


def test_a_channel_that_fails_is_tried_again_and_its_key_is_not_shown(watch, server, caplog):
    caplog.set_level(logging.DEBUG)
    server.answers = [Reply(500)]
    watch.flush(2000.0)
    watch.flush(2001.0)
    assert len(server.requests) == 1
    assert watch.states() == ["waiting", "waiting"]
    assert "can't be told by the fallback" in caplog.text
    watch.flush(2000.0 + AGAIN)
    assert len(server.requests) == 2
    assert watch.states() == ["skipped", "skipped"]
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("address", "installed", "words"),
    [("nonsense://x", True, "none that Apprise knows"), ("json://x", False, "imap-watcher[notify]")],
)
def test_what_can_not_work_is_told_with_its_cure(tmp_path, monkeypatch, caplog, address, installed, words):
    if not installed:
        monkeypatch.setitem(sys.modules, "apprise", None)
    watch = Watch(tmp_path, address)
    watch.flush(2000.0)
    assert words in caplog.text
    assert watch.states() == ["waiting", "waiting"]
    watch.books.database.close()


def test_what_can_not_even_become_a_mail_is_told(tmp_path, watch, server):
    settings, add = watch.fallback.settings, watch.fallback.add
    alarm = Alarm(settings, lambda _: None, Spool(tmp_path), "state-1", pytest.fail, otherwise=add)
    alarm.emit(logging.makeLogRecord({"name": "watcher.x", "msg": "no room", "levelno": logging.ERROR}))
    alarm.flush_due(1000.0)
    server.answers = [Reply(500)]
    watch.flush(1000.0)
    watch.flush(1000.0 + AGAIN)
    assert ["no room" in request.body.decode() for request in server.requests[:2]] == [True, True]
    watch.flush(1000.0 + 3 * AGAIN)
    assert sum("no room" in request.body.decode() for request in server.requests) == 2


def test_without_a_channel_mail_is_waited_for(tmp_path):
    watch = Watch(tmp_path, "")
    watch.flush(2000.0)
    assert watch.states() == ["waiting", "waiting"]
    watch.books.database.close()


def test_the_library_is_loaded_only_when_there_is_something_to_tell():
    code = "import sys, watcher.daemon; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_clock_that_is_set_back_silences_no_channel(watch, server):
    server.answers = [Reply(500)]
    watch.flush(1e9)
    watch.flush(500.0)
    assert len(server.requests) == 2
    assert watch.states() == ["skipped", "skipped"]
