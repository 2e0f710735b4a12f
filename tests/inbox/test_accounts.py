"""Accounts that are let go, whatever their links are about: nothing is left behind, and nobody is troubled."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import pytest

from tests.fakes.imap_server import Command, ImapServer, Session
from tests.inbox.conftest import Room, mail
from watcher.inbox.pulse import State

Rooms = Callable[..., Room]


def nobody_is_left(here: Room) -> bool:
    return not (here.lounge.seats or here.door.queue or here.door.inside)


def test_at_the_door(server: ImapServer, room: Rooms) -> None:
    with room() as here:
        here.wait_idle()
        here.accounts.end("me")
        here.wait(lambda: nobody_is_left(here))
        others = [here.door.knock(time.monotonic()) for _ in range(here.door.hall.room)]
        here.accounts.begin(here.account)
        here.wait(lambda: here.door.queue)
        here.accounts.end("me")
        here.wait(lambda: not here.door.queue)
        for turn in others:
            here.door.leave(turn, time.monotonic(), reached=True)
        here.wait(lambda: nobody_is_left(here))
        assert server.logins == 1


@pytest.mark.parametrize("command", ["CONNECT", "AUTHENTICATE", "EXAMINE", "UID SEARCH", "UID FETCH", "IDLE"])
def test_in_the_midst_of(server: ImapServer, room: Rooms, command: str, caplog: pytest.LogCaptureFixture) -> None:
    """A link that is being made is let go once it stands; one that stands is cut."""
    asked_for, dismissed = threading.Event(), threading.Event()

    async def held(session: Session, asked: Command) -> None:
        asked_for.set()
        if asked.name not in {"CONNECT", "AUTHENTICATE"}:
            await session.reader.read()
        await asyncio.to_thread(dismissed.wait, 20)
        if asked.name == "CONNECT":
            session.send(server.greeting)
        else:
            await session.honest(asked)

    server.on(command, held)
    server.deliver(mail(1))
    with room("start = 'all'") as here:
        here.wait(asked_for.is_set)
        caplog.clear()
        here.accounts.end("me")
        dismissed.set()
        here.wait(lambda: nobody_is_left(here) and not server.sessions)
        assert not [record.message for record in caplog.records if record.levelno > logging.INFO]
        here.accounts.begin(here.account)
        here.wait_numbers(1)
        here.wait(lambda: here.pulse.state is State.LIVE)


@pytest.mark.parametrize("refused", [True, False])
def test_a_login_that_ends_too_late_is_that_of_another(server: ImapServer, room: Rooms, refused: bool) -> None:
    """The account that follows, perhaps at another host, is not held up by it, and its folders are not looked at."""
    asked_for, go_on = threading.Event(), threading.Event()

    async def held(session: Session, asked: Command) -> None:
        asked_for.set()
        await asyncio.to_thread(go_on.wait, 20)
        if refused:
            session.no(asked, "[AUTHENTICATIONFAILED] no")
        else:
            await session.honest(asked)

    server.on("AUTHENTICATE", held)
    with room() as here:
        here.wait(asked_for.is_set)
        here.accounts.end("me")
        here.accounts.begin(here.account)
        go_on.set()
        here.wait_idle()
        assert server.count("EXAMINE") == 1
