"""Ready handlers that send mail: from a mail on a real server to what the relay is given."""

from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.smtp_server import SmtpServer
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot

pytestmark = pytest.mark.system

SHIPPED = Path(__file__).parents[2] / "handlers"
SETTINGS = """
[smtp.alice]
host = "127.0.0.1"
port = {port}
tls = "implicit"
user = "me"
password = {{ env = "RELAY" }}
ca_file = "{ca_file}"
from = "alice@example.com"

[handler.forward]
recipients = ["*@example.net"]
env = {{ TO = "desk@example.net", TEXT = "For you" }}

[handler.auto-reply]
env = {{ TEXT = "I am away.", ADDRESSES = "alice@example.com", ANYBODY = "yes" }}
"""


def mail(number, subject="Question", extra=""):
    return (
        f"Return-Path: <carol@example.org>\r\nFrom: Carol <carol@example.org>\r\nTo: alice@example.com\r\n{extra}"
        f"Subject: {subject} {number}\r\nMessage-ID: <{number}@example.org>\r\n"
        "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nHello\r\n"
    ).encode()


def ran(daemon):
    """How often each handler has succeeded."""
    return Counter(job.name for job in daemon.jobs() if (job.kind, job.status) == ("job", "done"))


def test_forward_and_auto_reply(tmp_path):
    handlers = {name: (SHIPPED / name).read_text() for name in ("forward", "auto-reply")}
    with Dovecot(users=("alice",)) as server, SmtpServer() as relay:
        settings = SETTINGS.format(port=relay.port, ca_file=relay.ca_file)
        daemon = Daemon(tmp_path, server, [Watched("alice")], handlers=handlers, settings=settings)
        daemon.environment["RELAY"] = relay.password
        with daemon:
            server.deliver("alice", mail(1))
            daemon.until(lambda: len(relay.mails) == 2, 60, "a forward and an answer")
            server.deliver("alice", mail(2))
            server.deliver("alice", mail(3, "Out of office", "Auto-Submitted: auto-replied\r\n"))
            daemon.until(lambda: len(relay.mails) == 3, 60, "the forward alone: its sender was answered lately")
            daemon.until(lambda: ran(daemon) == {"forward": 3, "auto-reply": 3}, 60, "all to be done")
            assert daemon.stop() == 0
    assert sorted(one.recipients for one in relay.mails) == [
        ("carol@example.org",), ("desk@example.net",), ("desk@example.net",),
    ]  # fmt: skip
    [reply] = [one.data for one in relay.mails if one.recipients == ("carol@example.org",)]
    assert b"I am away." in reply
    assert b"Auto-Submitted: auto-replied" in reply
    forwarded = [one.data for one in relay.mails if one.recipients == ("desk@example.net",)]
    assert all(b"For you" in data and b"message/rfc822" in data for data in forwarded)
