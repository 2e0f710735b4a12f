"""Who is not watched, and that it is told once."""

import logging

import pytest

from watcher.inbox.pulse import Pulse, State
from watcher.service.life import MOST, PATIENCE, UNSEEN, Life, silence

BORN, DAY = 1000.0, 86400.0


def pulse(name="INBOX", **other) -> Pulse:
    return Pulse("me", name, **{"state": State.LIVE, "renewal": 240.0, **other})


@pytest.mark.parametrize(
    ("facts", "now", "words"),
    [
        ({}, BORN, ""),
        ({"heard_at": BORN + DAY, "scanned_at": BORN + DAY}, BORN + DAY, ""),
        ({"heard_at": BORN + DAY, "scanned_at": BORN + DAY}, BORN + DAY + 240 + PATIENCE, ""),
        ({"heard_at": BORN, "scanned_at": BORN}, BORN + 241 + PATIENCE, "its server has not answered for 19 minutes"),
        (
            {"state": State.REFUSED, "renewal": 0.0, "trouble": "wrong password"},
            BORN + 1 + PATIENCE,
            "its server has not answered for 15 minutes (wrong password)",
        ),
        ({"state": State.WAITING, "heard_at": BORN, "renewal": 1440.0}, BORN + PATIENCE + 1000, ""),
        ({"state": State.PAUSED}, BORN + DAY, ""),
        ({"heard_at": BORN + DAY, "scanned_at": BORN}, BORN + DAY, "it has not been looked through for 1440 minutes"),
        ({"heard_at": BORN + DAY, "connected_at": BORN + DAY}, BORN + DAY, ""),
        ({"state": State.CATCHING_UP, "heard_at": BORN + DAY}, BORN + DAY, ""),
        ({"state": State.HELD, "heard_at": BORN + DAY}, BORN + DAY, ""),
        ({"state": State.POLLING, "heard_at": BORN + UNSEEN}, BORN + UNSEEN, ""),
    ],
)
def test_who_is_not_watched(facts, now, words):
    assert silence(pulse(**facts), BORN, now) == words


def test_each_silence_is_told_once_and_its_end_too(caplog):
    caplog.set_level(logging.WARNING)
    one, other = pulse(heard_at=BORN, scanned_at=BORN), pulse("Orders", state=State.PAUSED)
    life = Life(lambda: [one, other], BORN)
    for now in (BORN + 60, BORN + 1200, BORN + 1260, BORN + 9000):
        life.look(now)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert caplog.messages == ["me/INBOX is not watched: its server has not answered for 20 minutes"]
    one.heard_at = one.scanned_at = BORN + 9030
    life.look(BORN + 9060)
    life.look(BORN + 9120)
    assert caplog.messages[1:] == ["me/INBOX is watched again"]


def test_a_dark_provider_is_told_in_a_few_lines(caplog):
    pulses = [pulse(f"folder {number}", heard_at=BORN, scanned_at=BORN) for number in range(1000)]
    life = Life(lambda: pulses, BORN)
    life.look(BORN + DAY)
    assert len(caplog.messages) == MOST + 1
    assert caplog.messages[-1] == f"{1000 - MOST} more folders are not watched; see imap-watcher status"
