"""Canaries fly when they are due, are known again by the ledger alone, and are missed once, not every minute."""

import logging
import time
from contextlib import closing

import pytest

from watcher.config import load
from watcher.config.standing import Standing
from watcher.mail.unpack import unpack
from watcher.model import Action, Decision, Envelope, Kind, Outcome, Status, Verb, Verdict
from watcher.outbox.canary import LATE, Canaries
from watcher.outbox.compose import LOOP
from watcher.rules.prefilter import Prefilter
from watcher.store.database import Database
from watcher.store.ledger import Ledger
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

HOUR = 3600.0

CONFIG = """
[account.support]
address = "support@example.com"
password = "secret"
canary = "1h"
[account.other]
address = "other@example.com"
password = "secret"
[[rule]]
when = { subject = "*order*" }
then = ["seen"]
[watcher]
state = "state"
"""


class House:
    """The canaries of one account, and a ledger in which their mails come in."""

    def __init__(self, tmp_path, database):
        path = tmp_path / "config.toml"
        path.touch(mode=0o600)
        path.write_text(CONFIG)
        self.standing = Standing(load(path))
        self.database, self.spool, self.paused = database, Spool(tmp_path / "state"), set()
        self.outgoing, self.ledger = Outgoing(database), Ledger(database, "boot", "machine")
        self.canaries = Canaries(self.standing, self.outgoing, self.spool, self.paused.__contains__)
        self.now = time.time()

    def look(self, after=0.0):
        self.now += after
        return self.canaries.look(self.now)

    def claimed(self):
        return self.ledger.claim(Kind.SEND, self.now, {"support": 10})

    def taken(self):
        """The relay takes all that waits; the letters."""
        works = self.claimed()
        for work in works:
            self.ledger.finish(work, Outcome(Verdict.DONE), Decision(Status.DONE), self.now)
        return [self.spool.folder(work.key).raw for work in works]

    def comes_in(self, letter, change=lambda raw: raw):
        """The mail that a letter becomes is taken apart; what becomes of it, None: as of any other."""
        draft = self.spool.draft("incoming")
        draft.write(b"Received: from relay\r\n" + change(letter.read_bytes()))
        draft.finish()
        message = unpack(self.spool.folder("incoming"), Envelope(account="support", folder="INBOX"))
        self.spool.remove(["incoming"])
        return self.canaries.catch(message, self.work())

    def work(self):
        place = self.database.write(
            lambda db: db.execute(
                "INSERT INTO mail"
                " (key, folder, epoch, uid, account, content, body, digest, message_id, received, size, stored_at)"
                " SELECT 'incoming', id, 1, 1, 'support', 'c', 'b', 'd', '<i>', 0, 1, ? FROM folder WHERE true"
                " ON CONFLICT DO UPDATE SET stored_at = excluded.stored_at RETURNING id",
                (self.now + 2,),
            ).fetchone()[0]
        )
        return Arrived(place)

    @property
    def song(self):
        [song] = self.canaries.all_songs()
        return song


class Arrived:
    """As much of a piece of work as is looked at."""

    def __init__(self, mail):
        self.mail = mail
        self.place = self
        self.account = "support"


@pytest.fixture
def house(tmp_path):
    (tmp_path / "state").mkdir()
    with closing(Database(tmp_path / "state")) as database:
        yield House(tmp_path, database)


def test_one_flies_when_it_is_due_and_the_last_one_is_on_its_way(house):
    assert house.look()
    assert not house.look(2 * HOUR), "the relay has not taken the first one: another would only pile up"
    assert len(house.taken()) == 1
    assert house.look()
    assert len(house.taken()) == 1
    assert not house.look(HOUR - 1)
    assert house.look(1)


def test_one_that_comes_in_is_deleted_and_its_time_is_known(house):
    house.look()
    [letter] = house.taken()
    outcome = house.comes_in(letter)
    assert outcome.verdict is Verdict.DONE
    assert (outcome.plan.steps, outcome.plan.then) == ((), (Action(Verb.DELETE),))
    assert house.song.took == pytest.approx(2, abs=0.1)
    house.look(60)
    assert (house.song.took, house.song.missing) == (pytest.approx(2, abs=0.1), "")


def test_no_word_of_a_mail_makes_it_one(house):
    house.look()
    [letter] = house.taken()
    key, mark = letter.parent.name.encode(), f"{LOOP}: {house.canaries.own.mark};".encode()
    assert mark + b"\r\n " + key in letter.read_bytes()
    assert house.comes_in(letter, lambda raw: raw.replace(key, b"a" * 32)) is None
    assert house.comes_in(letter, lambda raw: raw.replace(b"\r\n " + key, b"")) is None
    assert house.comes_in(letter, lambda raw: raw.replace(mark, mark[:-2] + b";")) is None
    assert house.comes_in(letter, lambda raw: raw.replace(b"Message-ID: <", b"Message-ID: <x")) is not None, "by SES"


def test_a_missing_one_is_told_once_and_so_is_the_next_that_comes(house, caplog):
    house.look()
    assert not house.song.missing
    house.look(LATE + 1)
    assert "its relay has not taken it yet" in house.song.missing
    house.taken()
    house.look(60)
    assert "the relay took it or gave it up" in house.song.missing
    house.look(HOUR)
    assert house.song.missing, "another one that flies meanwhile changes nothing"
    [second] = house.taken()
    house.comes_in(second)
    house.look(1)
    assert not house.song.missing
    told = [(record.levelno, record.getMessage().partition(" (")[0]) for record in caplog.records]
    assert [level for level, _ in told] == [logging.ERROR, logging.WARNING], told
    assert told[0][1].startswith("support: the canary is missing: it was sent 15 minutes ago; ")


def test_none_is_missed_for_the_time_in_which_nobody_watched(house, caplog):
    house.look()
    house.taken()
    house.paused.add("support")
    house.look(10 * HOUR)
    assert house.canaries.all_songs() == []
    house.paused.clear()
    house.look(1)
    assert not house.song.missing
    restarted = Canaries(house.standing, house.outgoing, house.spool, lambda _: False)
    restarted.look(house.now + 10 * HOUR)
    assert not restarted.all_songs()[0].missing
    assert not caplog.records


def test_it_is_fetched_though_no_rule_is_for_it(house):
    prefilter = Prefilter(house.canaries.rules)
    assert prefilter.question("support", "INBOX").header
    rules = house.canaries.rules()
    assert rules is house.canaries.rules()
    assert [rule.name for rule in rules] == ["(canary)", "rule 1"]
    [account] = rules[0].when.account
    assert account.fits("support")
    assert not account.fits("other")


def test_after_the_clock_went_back_they_fly_on(house):
    house.look()
    house.taken()
    assert house.look(-1000 * HOUR)
    house.taken()
    assert not any(house.look(60) for _ in range(10)), "one that is dated later says nothing about when the next is due"
