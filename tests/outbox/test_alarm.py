"""Errors become one mail, not a storm; an alert makes no alert, and no rule is for it."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from tests.store.conftest import arrival, books
from watcher.config.alerts import AlertSettings
from watcher.config.smtp import Relay
from watcher.mail.unpack import unpack
from watcher.model import Address, Envelope, Kind, Place, Work
from watcher.outbox.alarm import ALERT, APART, Alarm
from watcher.outbox.own import OwnMail
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

__all__ = ["books"]


def sending(author):
    """A recipient of a letter."""
    place, now = Place("out", "(outbox)", 0, 7), datetime.now(UTC)
    return Work(7, Kind.SEND, author, "admin@example.org", 7, f"key of {author}", place, now, "", 1, 1, 0, 0.0)


@pytest.fixture
def alarm(tmp_path):
    relay = Relay(name="out", sender=Address("", "us@example.com"), host="localhost", port=25, tls="none")
    posted = []
    made = Alarm(
        lambda: AlertSettings(to=("admin@example.org",), smtp="out"),
        lambda name: relay if name == "out" else None,
        Spool(tmp_path),
        "state-1",
        posted.append,
    )
    made.posted = posted
    logger = logging.getLogger("watcher.test")
    logger.addHandler(made)
    made.logger = logger
    yield made
    logger.removeHandler(made)


def test_the_first_at_once_and_what_follows_together(alarm):
    alarm.logger.error("handler book is on hold")
    alarm.logger.warning("nothing much")
    alarm.flush_due(1000.0)
    for number in range(250):
        alarm.logger.error("dead letter %d", number)
    alarm.flush_due(1001.0)
    assert len(alarm.posted) == 1
    alarm.flush_due(1000.0 + APART)
    alarm.flush_due(1000.0 + 2 * APART)
    assert len(alarm.posted) == 2
    mail = message_from_bytes(alarm.spool.folder(alarm.posted[1].key).raw.read_bytes(), policy=policy.default)
    assert mail["Subject"] == "imap-watcher: dead letter 50 and 249 more"
    assert "dead letter 249" in mail.get_content()
    assert (mail["To"], mail["Auto-Submitted"]) == ("admin@example.org", "auto-generated")


def test_an_alert_that_fails_makes_no_other(alarm):
    alarm.logger.error("%s: %s", sending(ALERT), "dead: 550 no")
    alarm.flush_due(1000.0)
    assert alarm.posted == []
    alarm.logger.error("%s: %s", sending("alert"), "dead: 550 no, we know what you send alert us to")
    alarm.flush_due(1000.0)
    assert len(alarm.posted) == 1, "it is the letter of a handler"


def test_what_is_erased_is_told_no_more(alarm):
    alarm.logger.error("%s: dead", sending("book"))
    alarm.logger.error("%s: dead", sending("pay"))
    alarm.forget({"key of book"})
    alarm.flush_due(1000.0)
    text = alarm.spool.folder(alarm.posted[0].key).raw.read_text()
    assert "send pay" in text
    assert "book" not in text


def test_an_alert_of_ours_is_known_and_no_other_mail_is(alarm, books):
    """By the ledger: whoever has a mail of ours could write the rest of the mark, and keep his from all rules."""
    outgoing = Outgoing(books.database)
    alarm.logger.error("x")
    alarm.flush_due(1000.0)
    (posting,) = alarm.posted
    folder = alarm.spool.folder(posting.key)
    message = unpack(folder, Envelope())
    books.receive(arrival(1))
    ours, theirs = OwnMail(ALERT, "state-1"), OwnMail(ALERT, "state-2")
    assert not ours.came_back(message, 1, outgoing), "nobody has posted it"
    outgoing.post(posting, 1000.0)
    assert ours.came_back(message, 1, outgoing)
    assert not theirs.came_back(message, 1, outgoing)
    assert not OwnMail("(canary)", "state-1").came_back(message, 1, outgoing)
    for mark in (ours.mark, f"{ours.mark};", f"{ours.mark}; {'a' * 32}"):
        forged = replace(message, headers=(("X-Imap-Watcher", mark),))
        assert not ours.came_back(forged, 1, outgoing)


def test_a_clock_that_is_set_back_silences_no_alert(alarm):
    for now in (1e9, 1e6):
        alarm.logger.error("trouble at %d", now)
        alarm.flush_due(now)
    assert len(alarm.posted) == 2
