"""What an operator does to a running daemon: pauses and resumes, looks on, follows what happens."""

import json
import subprocess
import sys

import pytest

from tests.fakes.terminal import Terminal
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import mail

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob")) as running:
        yield running


@pytest.fixture
def daemon(server, tmp_path):
    with Daemon(tmp_path, server, [Watched("alice"), Watched("bob")], handlers={"note.sh": "#!/bin/sh\n"}) as running:
        running.until(running.is_live, 60, "both links")
        yield running


def events(daemon: Daemon, *arguments: str) -> list[dict]:
    told = daemon.command("tail", "--no-follow", "--json", "-n", "500", *arguments)
    return [json.loads(line) for line in told.splitlines()]


def runs(daemon: Daemon) -> list[str]:
    return [event["account"] for event in events(daemon, "--handler", "note") if ": done" in event["message"]]


def statuses(daemon: Daemon) -> set[str]:
    return {job.status for job in daemon.jobs() if job.name == "note"}


def test_an_account_is_paused_over_a_restart_and_misses_nothing(daemon, server):
    assert daemon.command("pause", "alice") == "account alice: paused\n"
    assert daemon.states() == {"alice/INBOX": "paused", "bob/INBOX": "live"}
    server.deliver("alice", mail(1).raw)
    server.deliver("bob", mail(2).raw)
    daemon.until(lambda: runs(daemon) == ["bob"], 60, "the mail of the other")
    assert daemon.stop() == 0
    daemon.start()
    daemon.until(lambda: daemon.states().get("bob/INBOX") == "live", 60, "the next life")
    assert daemon.states()["alice/INBOX"] == "paused"
    assert daemon.command("resume", "alice") == "account alice: goes on\n"
    daemon.until(lambda: runs(daemon) == ["alice"], 60, "its mail")


def test_a_paused_handler_keeps_its_mail_waiting(daemon, server):
    assert daemon.command("pause", "note") == "handler note: paused\n"
    assert "handler note: paused" in daemon.command("status")
    server.deliver("alice", mail(3).raw)
    daemon.until(lambda: "waiting" in statuses(daemon), 60, "the mail")
    assert daemon.command("resume", "note", "--handler") == "handler note: goes on\n"
    daemon.until(lambda: statuses(daemon) == {"done"}, 60, "its run")


def test_nothing_is_changed_in_a_paused_account(daemon, server):
    daemon.command("pause", "note")
    server.deliver("bob", mail(4).raw)
    daemon.until(lambda: "waiting" in statuses(daemon), 60, "the mail")
    daemon.command("pause", "bob")
    logins = server.log().count("Login: user=<bob>")
    daemon.command("resume", "note")
    daemon.until(lambda: statuses(daemon) == {"done"}, 60, "its run")
    server.deliver("alice", mail(5).raw)
    daemon.until(lambda: "\\Seen" in server.flags("alice")[max(server.flags("alice"))], 60, "the other's after-action")
    assert server.log().count("Login: user=<bob>") == logins
    daemon.command("resume", "bob")
    daemon.until(lambda: "\\Seen" in server.flags("bob")[max(server.flags("bob"))], 60, "the after-action")


@pytest.mark.parametrize("arguments", [("pause", "nobody"), ("pause", "alice", "--handler")])
def test_what_is_not_there_can_not_be_paused(daemon, arguments):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        daemon.command(*arguments)
    assert refused.value.returncode == 1
    assert "there is no" in refused.value.stderr


def test_events_are_followed_as_they_come(daemon, server):
    command = [sys.executable, "-m", "watcher", "--config", str(daemon.config), "tail", "--account", "bob", "-n", "100"]
    with Terminal(command) as terminal:
        server.deliver("bob", mail(4).raw)
        terminal.until("bob/INBOX UID 1: job note (job", 60)
        assert terminal.interrupted() == 0
    assert b"alice" not in terminal.shown


def test_the_live_table_shows_troubles_first(daemon, server):
    (daemon.home / "password").write_text("wrong")
    daemon.command("pause", "bob")
    daemon.command("resume", "bob")
    daemon.until(lambda: daemon.states()["bob/INBOX"] == "refused", 60, "the refusal")
    command = [sys.executable, "-m", "watcher", "--config", str(daemon.config), "status", "--watch"]
    with Terminal(command) as terminal:
        terminal.until("2 folders: 1 live, 1 refused", 60)
        terminal.until("alice/INBOX", 60)
        assert terminal.interrupted() == 0
    assert terminal.shown.index(b"bob/INBOX") < terminal.shown.index(b"alice/INBOX")
