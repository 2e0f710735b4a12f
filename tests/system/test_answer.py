"""A mail comes in from a real server, a handler answers, and the answer goes out, whenever the daemon is killed."""

import os
import random
import re
import signal
from collections import Counter

import pytest

from tests.fakes.smtp_server import SmtpServer
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot

pytestmark = pytest.mark.system

ECHO = """#!/usr/bin/env python3
import json, os
mail = json.load(open("message.json"))
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    actions.write(json.dumps({"action": "reply", "text": "Thanks"}) + "\\n")
    new = {"action": "send", "to": "desk@example.net", "subject": mail["subject"], "text": "New"}
    actions.write(json.dumps(new) + "\\n")
"""

TWO = """#!/usr/bin/env python3
import json, os
mail = json.load(open("message.json"))
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    for to in ("desk@example.net", "copy@example.net"):
        new = {"action": "send", "to": to, "subject": mail["subject"], "text": "New"}
        actions.write(json.dumps(new) + "\\n")
"""


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob", "carol", "dave", "erin")) as running:
        yield running


def settings(relay, user):
    return (
        f'[smtp.{user}]\nhost = "127.0.0.1"\nport = {relay.port}\ntls = "implicit"\nuser = "me"\n'
        f'password = {{ env = "RELAY" }}\nca_file = "{relay.ca_file}"\nfrom = "{user}@example.com"\n'
        '[handler.echo]\nrecipients = ["*@example.net"]\nconcurrency = 8\n'
    )


def mail(number, sender):
    return (
        f"Return-Path: <{sender}>\r\nFrom: {sender}\r\nTo: x@example.com\r\nSubject: mail {number}\r\n"
        f"Message-ID: <{number}@example.org>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nHello\r\n"
    ).encode()


def test_a_reply_and_a_new_mail_go_out_with_the_run(server, tmp_path):
    with SmtpServer() as relay:
        daemon = Daemon(
            tmp_path, server, [Watched("alice")], handlers={"echo": ECHO}, settings=settings(relay, "alice")
        )
        daemon.environment["RELAY"] = relay.password
        with daemon:
            server.deliver("alice", mail(1, "carol@example.org"))
            server.deliver("alice", mail(2, "no-reply@example.org"))
            daemon.until(lambda: len(relay.mails) == 3, 60, "the answers")
            assert daemon.stop() == 0
    assert Counter(one.recipients for one in relay.mails) == {("carol@example.org",): 1, ("desk@example.net",): 2}
    (reply,) = (one for one in relay.mails if one.recipients == ("carol@example.org",))
    assert b"In-Reply-To: <1@example.org>" in reply.data
    assert b"Auto-Submitted: auto-replied" in reply.data


def test_a_dead_letter_is_told_by_mail(server, tmp_path):
    with SmtpServer() as relay:
        alerts = '[alerts]\nto = ["admin@example.net"]\nsmtp = "carol"\n'
        daemon = Daemon(
            tmp_path,
            server,
            [Watched("carol")],
            handlers={"echo": "#!/bin/sh\nexit 100\n"},
            settings=settings(relay, "carol") + alerts,
        )
        daemon.environment["RELAY"] = relay.password
        with daemon:
            server.deliver("carol", mail(1, "p@example.org"))
            daemon.until(lambda: relay.mails, 60, "the alert")
            assert daemon.stop() == 0
    assert relay.mails[0].recipients == ("admin@example.net",)
    assert b"dead" in relay.mails[0].data


STEPS = ["TLS", "GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT", "BODY"]


def test_killed_at_each_step_of_the_dialogue_a_mail_goes_out_and_twice_only_after_the_final_dot(server, tmp_path):
    with SmtpServer() as relay:
        daemon = Daemon(tmp_path, server, [Watched("erin")], handlers={"echo": TWO}, settings=settings(relay, "erin"))
        daemon.environment["RELAY"] = relay.password
        with daemon:
            for number, step in enumerate(STEPS):
                relay.on(step, lambda: os.kill(daemon.pid, signal.SIGKILL))
                relay.drop()  # else a kept connection passes the first steps by
                server.deliver("erin", mail(number, f"p{number}@example.org"))
                assert daemon.ends_within(60), step
                daemon.killed()
                daemon.start()
                daemon.until(lambda n=number: len({identity(one) for one in relay.mails}) == 2 * (n + 1), 60, step)
            assert daemon.stop() == 0
    copies = Counter(identity(one) for one in relay.mails)
    assert len(copies) == 2 * len(STEPS)
    assert Counter(copies.values()) == {1: 2 * len(STEPS) - 1, 2: 1}, "the one that was taken as the daemon died"


def test_killed_at_any_moment_each_mail_goes_out_and_a_second_copy_is_the_same(server, tmp_path):
    kill_again_and_again(server, tmp_path, "bob", kills=4)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_at_a_hundred_moments_nothing_is_lost(server, tmp_path):
    kill_again_and_again(server, tmp_path, "dave", kills=100)


def kill_again_and_again(server, tmp_path, user, *, kills):
    """Two new mails for each mail; the daemon dies at a random moment after the first that was taken."""
    dice = random.Random(kills)
    letters = 6 * kills
    with SmtpServer() as relay:
        daemon = Daemon(tmp_path, server, [Watched(user)], handlers={"echo": TWO}, settings=settings(relay, user))
        daemon.environment["RELAY"] = relay.password
        with daemon:
            server.deliver_many((user, "INBOX", mail(number, f"p{number}@example.org")) for number in range(3 * kills))
            for _ in range(kills):
                seen = len(relay.mails)
                daemon.until(lambda seen=seen: len(relay.mails) > seen or seen >= letters, 120, "another one")
                daemon.ends_within(dice.random() / 10)
                daemon.kill()
                daemon.start()
            daemon.until(lambda: len({identity(one) for one in relay.mails}) == letters, 900, "all of them")
            daemon.until(daemon.is_live, 60, "a link that idles")
            assert daemon.stop() == 0
    copies = Counter(identity(one) for one in relay.mails)
    assert len(copies) == letters
    assert max(copies.values()) <= 2
    assert copies.total() - letters <= kills


def identity(taken):
    return re.search(rb"Message-ID: (\S+)", taken.data)[1]
