"""
Machines that answer each other, as real processes: two of these daemons, and one with a bot that hides what it is.

The post between them is `Exchange`: what a daemon submits is delivered to the mailbox that it is for.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.fakes.smtp_server import SmtpServer, Taken
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot

pytestmark = pytest.mark.system

ANSWER = """#!/usr/bin/env python3
import json, os
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    actions.write(json.dumps({"action": "reply", "text": "Thanks"}) + "\\n")
"""

FORWARD = """#!/usr/bin/env python3
import json, os
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    actions.write(json.dumps({"action": "forward", "to": "NEXT", "inline": True}) + "\\n")
"""


class Exchange(SmtpServer):
    """A relay that delivers what it takes, each mail as a server would: with Return-Path and Received before it."""

    def __init__(self, server: Dovecot, change=lambda mail: mail.data) -> None:
        super().__init__()
        self.server, self.change = server, change
        self.delivered = 0
        self.ended = threading.Event()
        self.carrier = threading.Thread(target=self.carry)

    def __enter__(self):
        self.carrier.start()
        return super().__enter__()

    def __exit__(self, *error):
        self.ended.set()
        self.carrier.join()
        super().__exit__(*error)

    def carry(self) -> None:
        while not self.ended.wait(0.05):
            for mail in self.mails[self.delivered :]:
                self.deliver(mail)
                self.delivered += 1

    def deliver(self, mail: Taken) -> None:
        for recipient in mail.recipients:
            user, _, domain = recipient.partition("@")
            if domain == "example.com":
                trace = f"Return-Path: <{mail.sender}>\r\nReceived: from a by b; Sat, 21 Nov 2026 12:00:00 +0000\r\n"
                self.server.deliver(user, trace.encode() + self.change(mail))


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with Dovecot(users=("alice", "bob", "carol", "dave", "erin", "frank")) as running:
        yield running


def watching(home: Path, server: Dovecot, relay: SmtpServer, user: str, handler: str, settings: str = "") -> Daemon:
    home.mkdir()
    section = (
        f'[smtp.{user}]\nhost = "127.0.0.1"\nport = {relay.port}\ntls = "implicit"\nuser = "me"\n'
        f'password = {{ env = "RELAY" }}\nca_file = "{relay.ca_file}"\nfrom = "{user}@example.com"\n'
        f'[handler.machine]\nrecipients = ["*@example.com"]\n{settings}'
    )
    daemon = Daemon(home, server, [Watched(user)], handlers={"machine": handler}, settings=section)
    daemon.environment["RELAY"] = relay.password
    return daemon


def letter(sender: str, number: int = 1) -> bytes:
    return (
        f"Return-Path: <{sender}>\r\nFrom: {sender}\r\nTo: x@example.com\r\nSubject: mail {number}\r\n"
        f"Message-ID: <{number}@example.org>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nHello\r\n"
    ).encode()


def is_done(daemon: Daemon, mails: int) -> bool:
    """Whether so many mails have come in, each was handled, and nothing is under way."""
    work = daemon.ask("status")["work"]
    under_way = sum(work[kind].get(state, 0) for kind in work for state in ("waiting", "running"))
    return not under_way and work.get("unpack", {}).get("done", 0) == mails


def test_two_daemons_that_answer_each_other_stop_after_one_reply(server: Dovecot, tmp_path: Path) -> None:
    with ExitStack() as stack:
        relay = stack.enter_context(Exchange(server))
        one = stack.enter_context(watching(tmp_path / "one", server, relay, "alice", ANSWER))
        two = stack.enter_context(watching(tmp_path / "two", server, relay, "bob", ANSWER))
        for daemon in (one, two):
            daemon.until(daemon.is_live, 60, "a link that idles")
        server.deliver("alice", letter("bob@example.com"))
        two.until(lambda: is_done(two, 1), 60, "the reply to be handled")
        one.until(lambda: is_done(one, 1), 60, "the end")
        assert [mail.recipients for mail in relay.mails] == [("bob@example.com",)]
        (job,) = (row for row in two.ask("jobs", limit=100) if row["kind"] == "job")
        assert (job["status"], "not answered: it was sent by a machine" in job["reason"]) == ("done", True)
        assert [one.stop(), two.stop()] == [0, 0]


def test_two_daemons_that_forward_to_each_other_stop_when_a_mail_comes_round(server: Dovecot, tmp_path: Path) -> None:
    with ExitStack() as stack:
        relay = stack.enter_context(Exchange(server))
        first, second = FORWARD.replace("NEXT", "dave@example.com"), FORWARD.replace("NEXT", "carol@example.com")
        one = stack.enter_context(watching(tmp_path / "one", server, relay, "carol", first))
        two = stack.enter_context(watching(tmp_path / "two", server, relay, "dave", second))
        for daemon in (one, two):
            daemon.until(daemon.is_live, 60, "a link that idles")
        server.deliver("carol", letter("person@example.org"))
        one.until(lambda: is_done(one, 2), 60, "the mail to come round")
        assert [mail.recipients for mail in relay.mails] == [("dave@example.com",), ("carol@example.com",)]
        assert [one.stop(), two.stop()] == [0, 0]


def stripped(mail: Taken) -> bytes:
    """What a vacation bot answers that keeps nothing by which it could be known for one; each time by another name."""
    number = int(re.search(rb"mail (\d+)", mail.data)[1]) + 1
    assert message_from_bytes(mail.data, policy=policy.default)["Auto-Submitted"] == "auto-replied"
    return letter(mail.recipients[0], number)


@pytest.mark.parametrize(("user", "settings", "most"), [("erin", "", 1), ("frank", "replies_per_sender = 3\n", 3)])
def test_a_vacation_bot_that_strips_all_fields_is_answered_up_to_the_cap(
    server: Dovecot, tmp_path: Path, user: str, settings: str, most: int
) -> None:
    """The bot answers in the name of its owner whatever comes; the daemon is killed in between, and remembers."""
    with ExitStack() as stack:
        relay = stack.enter_context(Exchange(server))
        relay.deliver = lambda mail: server.deliver(user, stripped(mail))
        daemon = stack.enter_context(watching(tmp_path / "one", server, relay, user, ANSWER, settings))
        server.deliver(user, letter("bot@example.org"))
        daemon.until(lambda: relay.mails, 60, "the first answer")
        daemon.kill()
        daemon.start()
        daemon.until(lambda: daemon.states() and is_done(daemon, most + 1), 120, "the end of it")
        rows = [row for row in daemon.ask("jobs", limit=100) if row["kind"] == "send"]
        assert Counter(row["status"] for row in rows) == {"done": most, "skipped": 1}
        assert "against loops" in json.dumps(rows)
        assert len({mail.data for mail in relay.mails}) == most
        assert daemon.stop() == 0
