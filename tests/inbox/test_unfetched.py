"""Mails that the server lists and does not hand out: asked for again, less and less often, and in nobody's way."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.imap_server import Command, ImapServer, Session, eof
from tests.inbox.conftest import QUICK, Room, mail
from watcher.inbox.catchup import LOOK_BACK
from watcher.inbox.receive import CHUNK
from watcher.store.database import Database
from watcher.store.folders import Folders

Rooms = Callable[..., Room]

NOTHING = b"{tag} OK later\r\n"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  #: else the daily audit would find it


def test_what_brought_no_bytes_is_asked_for_again_in_a_quiet_folder(server: ImapServer, room: Rooms) -> None:
    with room() as here:
        here.wait_idle()
        server.on("UID FETCH", b"{tag} OK later\r\n", times=2)
        server.deliver(mail(1))
        here.wait_numbers(1)
        here.wait_idle()
        assert server.count("UID FETCH") == 3


def test_a_mail_without_bytes_blocks_nobody_and_is_asked_for_again(server: ImapServer, room: Rooms) -> None:
    server.deliver(mail(1))
    nothing = b'* 1 FETCH (UID 1 RFC822.SIZE 5 INTERNALDATE "21-Nov-2026 10:00:00 +0000")\r\n{tag} OK\r\n'
    server.on("UID FETCH", nothing, times=4)
    with room("start = 'all'\nrenew = 0.3") as here:
        here.wait_idle()
        server.deliver(mail(2))
        here.wait_numbers(1, 2)


def test_a_mail_that_breaks_the_link_each_time_does_not_keep_the_others(server: ImapServer, room: Rooms) -> None:
    for number in (1, 2, 3):
        server.deliver(mail(number))

    async def broken(session, asked):
        uids = asked.args.split()[0].split(",")
        await (session.honest(asked) if "2" not in uids else eof(session, asked))

    server.on("UID FETCH", broken, times=None)
    with room("start = 'all'") as here:
        here.wait_numbers(1, 3)
        here.wait_idle()
        server.deliver(mail(4))
        here.wait_numbers(1, 3, 4)
        assert here.pulse.connects < 10


def test_a_mail_that_breaks_each_link_costs_one_link_a_try(server: ImapServer, room: Rooms) -> None:
    broken = 0

    async def break_off(session: Session, command: Command) -> None:
        nonlocal broken
        broken += 1
        await eof(session, command)

    server.on("UID FETCH", break_off, times=None)
    server.deliver(mail(1))
    with room("start = 'all'") as here:
        here.wait(lambda: tries(here) == 4)
        assert broken <= 6, "the first try took two, to find out which mail of several it is"


def test_mails_that_break_each_link_are_tried_again_after_the_others(server: ImapServer, room: Rooms) -> None:
    """Else those whose time has come meanwhile would keep them waiting with each new link."""
    broken, bad = [], set("1234567")

    async def break_off(session: Session, command: Command) -> None:
        asked = command.args.split()[0]
        if bad.isdisjoint(asked.split(",")):
            await session.honest(command)
        else:
            broken.append(asked)
            await eof(session, command)

    for number in range(1, 9):
        server.deliver(mail(number))
    server.on("UID FETCH", break_off, times=None)
    with room("start = 'all'", patience=replace(QUICK, fetch_again=0.01)) as here:
        here.wait_numbers(8)
    assert broken[:8] == ["1,2,3,4,5,6,7,8", *sorted(bad)]


def test_after_a_restart_it_is_asked_for_again(server: ImapServer, room: Rooms) -> None:
    patience = replace(QUICK, fetch_again=3.0)
    server.on("UID FETCH", NOTHING)
    server.deliver(mail(1))
    with room("start = 'all'", patience=patience) as here:
        here.wait_idle()
    with room("start = 'all'", patience=patience) as here:
        here.wait_numbers(1)
    assert server.count("UID FETCH") == 2


def test_by_a_clock_that_was_set_back_it_is_asked_for_again(
    server: ImapServer, room: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    server.on("UID FETCH", NOTHING)
    server.deliver(mail(1))
    with room("start = 'all'", patience=replace(QUICK, fetch_again=2.0)) as here:
        here.wait_idle()
        monkeypatch.setattr(time, "time", lambda: real() - 3.0)  # too little for the ledger to be told
        here.wait_numbers(1)
    assert server.count("UID SEARCH") < 10


def test_by_a_clock_that_was_set_back_during_a_look_it_is_asked_for_again(
    server: ImapServer, room: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time

    async def set_back(session: Session, command: Command) -> None:
        monkeypatch.setattr(time, "time", lambda: real() - 5.0)
        await session.honest(command)

    numbers = range(CHUNK + 1)
    for number in numbers:
        server.deliver(mail(number))
    server.on("UID FETCH", set_back, NOTHING)
    with room("start = 'all'") as here:
        here.wait_numbers(*numbers)


def test_by_a_clock_that_was_set_forward_it_is_asked_for_again_with_the_next_mail(
    server: ImapServer, room: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no look covers, too. A machine that was suspended is such a case."""
    real, patience = time.time, replace(QUICK, fetch_again=5.0)
    server.on("UID FETCH", NOTHING)
    server.deliver(mail(1), received=LONG_AGO)
    with room("start = 'all'", patience=patience) as here:
        here.wait_idle()
    server.inbox.uidnext = read_on(tmp_path / "state", 2 * LOOK_BACK)
    with room("start = 'all'", patience=patience) as here:
        here.wait_idle()
        assert here.numbers() == []
        monkeypatch.setattr(time, "time", lambda: real() + 8.0)  # too little for the lounge to see it
        server.deliver(mail(2))
        here.wait_numbers(1, 2)


@pytest.mark.parametrize("gone", [False, True])
def test_far_below_the_newest_it_is_asked_for_again_while_it_is_there(
    server: ImapServer, room: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    monkeypatch.setattr("watcher.inbox.intake.PROOF", 0.5)
    patience = replace(QUICK, fetch_again=2.0)
    server.on("UID FETCH", NOTHING)
    server.deliver(mail(1), received=LONG_AGO)
    with room("start = 'all'", patience=patience) as here:
        here.wait_idle()
    server.inbox.uidnext = read_on(tmp_path / "state", 2 * LOOK_BACK)
    if gone:
        server.expunge(1)
    with room("start = 'all'", patience=patience) as here:
        here.wait(lambda: not here.database.read("SELECT uid FROM place WHERE due IS NOT NULL"))
        assert here.numbers() == ([] if gone else [1])
        asked = server.count("UID SEARCH")
        server.deliver(mail(2))
        here.wait_numbers(*([] if gone else [1]), 2)
        here.wait_idle()
        assert server.count("UID SEARCH") == asked + 1


def test_far_below_the_newest_it_is_not_given_up_if_one_answer_leaves_it_out(
    server: ImapServer, room: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.inbox.intake.PROOF", 1.0)
    patience = replace(QUICK, fetch_again=2.0)
    server.on("UID FETCH", NOTHING)
    server.deliver(mail(1), received=LONG_AGO)
    with room("start = 'all'", patience=patience) as here:
        here.wait_idle()
    server.inbox.uidnext = read_on(tmp_path / "state", 2 * LOOK_BACK)
    server.omit = {1}
    with room("start = 'all'", patience=patience) as here:
        here.wait(lambda: tries(here) == 2)
        server.omit = set()
        here.wait_numbers(1)


def tries(here: Room) -> int:
    """Of UID 1."""
    rows = here.database.read("SELECT tries FROM place WHERE uid = 1")
    return rows[0]["tries"] if rows else 0


def read_on(state: Path, uid: int) -> int:
    """As if all mails below this UID had come and been read long ago."""
    database = Database(state)
    folders = Folders(database)
    folders.advance(replace(folders.take("me", "INBOX"), low_uid=uid, next_uid=uid))
    database.close()
    return uid
