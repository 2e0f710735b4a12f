"""Many folders of one account: on one link where the server can tell, within the budget where it can't."""

import dataclasses
import math
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.fakes.imap_server import Command, ImapServer, Mail, Session
from tests.inbox.conftest import QUICK, Room, mail
from watcher.inbox.intake import Progress, catch_up
from watcher.inbox.lounge import Party
from watcher.inbox.post import Post
from watcher.inbox.pulse import Pulse, State
from watcher.inbox.rounds import Rounds
from watcher.inbox.steward import Steward

Rooms = Callable[..., Room]
NOTIFY = "IMAP4rev1 AUTH=PLAIN IDLE UIDPLUS MOVE UNSELECT NOTIFY"
NAMES = tuple(f"F{number}" for number in range(20))


def folders(server: ImapServer) -> None:
    for name in NAMES:
        server.folder(name)


def test_with_notify_one_link_serves_all_folders(server: ImapServer, room: Rooms) -> None:
    folders(server)
    server.capabilities = NOTIFY
    server.deliver(mail(1), "F3")
    with room("start = 'all'", folders=NAMES) as here:
        here.wait_numbers(1)
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        for number, name in enumerate(NAMES, 10):
            server.deliver(mail(number), name)
            here.wait(lambda n=number: n in here.numbers())
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        assert server.logins == 1
        server.cut()
        server.deliver(mail(99), "F7")
        here.wait(lambda: 99 in here.numbers())


def test_a_server_that_has_stopped_to_tell_is_asked_again(server: ImapServer, room: Rooms) -> None:
    """RFC 5465 5.8: it drops NOTIFY when too much happens, and says so once."""
    folders(server)
    server.capabilities = NOTIFY
    with room("start = 'all'", folders=NAMES) as here:
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        (session,) = server.sessions
        session.watched.clear()
        server.deliver(mail(1), "F3")
        server.push(b"* OK [NOTIFICATIONOVERFLOW] too much\r\n")
        here.wait_numbers(1)
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        server.deliver(mail(2), "F4")
        here.wait_numbers(1, 2)
        assert server.count("NOTIFY") == 2


@pytest.mark.parametrize("answer", [b"{tag} NO [BADEVENT (MessageNew)] no\r\n", b"{tag} BAD what?\r\n"])
def test_a_server_that_refuses_to_tell_is_asked(server: ImapServer, room: Rooms, answer: bytes) -> None:
    """NOTIFY is listed, and refused or not understood: then it is as if it were not listed."""
    folders(server)
    server.capabilities = NOTIFY
    server.on("NOTIFY", answer, times=None)
    patience = dataclasses.replace(QUICK, look_for_folders=1.0)
    with room("start = 'all'\npoll = 0.3", folders=NAMES, patience=patience) as here:
        for number, name in enumerate(NAMES):
            server.deliver(mail(number), name)
        here.wait_numbers(*range(len(NAMES)))
        server.wait_for(lambda: server.idling > 1, seconds=60)
        assert server.count("NOTIFY") == 1


def test_mail_that_comes_while_its_folder_is_open_is_not_lost(server: ImapServer, room: Rooms) -> None:
    """NOTIFY is silent about the folder that is open, and between the search and its end nobody looks."""
    folders(server)
    server.capabilities = NOTIFY
    with room("start = 'all'", folders=NAMES) as here:
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))

        async def meanwhile(session, asked):
            server.add(server.folder("F5"), type(stored)(0, mail(2), stored.received))
            await session.honest(asked)

        server.deliver(mail(0), "F0")
        here.wait_numbers(0)
        stored = server.folder("F0").mails[0]
        server.on("UNSELECT", meanwhile)
        server.deliver(mail(1), "F5")
        here.wait_numbers(0, 1, 2)


def test_a_mail_that_goes_from_a_folder_that_is_not_open_costs_one_look(server: ImapServer, room: Rooms) -> None:
    folders(server)
    server.capabilities = NOTIFY
    uid = server.deliver(mail(1), "F3")
    with room("start = 'all'", folders=NAMES) as here:
        here.wait_numbers(1)
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        server.wait_for(lambda: server.idling == 1)
        idles = server.count("IDLE")
        server.expunge(uid, folder="F3")
        server.wait_for(lambda: server.count("IDLE") > idles)
        (link,) = here.access.links
        assert not link.news, "this IDLE ends at once, too"


def test_without_notify_the_budget_is_kept_and_the_rest_is_asked_in_turn(server: ImapServer, room: Rooms) -> None:
    folders(server)
    with room("start = 'all'\npoll = 0.3", folders=NAMES) as here:
        here.wait(lambda: all(pulse.scanned_at for pulse in here.pulses))
        budget = 8
        assert links(server) <= budget
        for number, name in enumerate(NAMES):
            server.deliver(mail(number), name)
        here.wait_numbers(*range(len(NAMES)))
        states = {pulse.state for pulse in here.pulses}
        assert states <= {State.LIVE, State.POLLING, State.CATCHING_UP}
        for _ in range(2):  # the first rounds may still find what came while they looked
            looks, asked = server.count("EXAMINE"), server.count("STATUS")
            here.wait(lambda n=asked: server.count("STATUS") > n + 40)
        assert server.count("EXAMINE") == looks, "folders without news were opened"


@pytest.mark.parametrize("told", [False, True])
def test_what_brought_no_bytes_is_asked_for_again_where_folders_share_a_link(
    server: ImapServer, room: Rooms, told: bool
) -> None:
    folders(server)
    if told:
        server.capabilities = NOTIFY
    with room("start = 'all'\npoll = 0.3", folders=NAMES) as here:
        here.wait(lambda: all(pulse.scanned_at for pulse in here.pulses))
        server.on("UID FETCH", b"{tag} OK later\r\n", times=2)
        server.deliver(mail(1), NAMES[-2])
        here.wait_numbers(1)


def test_only_the_folder_of_what_brought_no_bytes_is_asked_again(server: ImapServer, room: Rooms) -> None:
    folders(server)
    server.capabilities = NOTIFY
    with room("start = 'all'", folders=NAMES) as here:
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        asked = server.count("STATUS")
        server.on("UID FETCH", b"{tag} OK later\r\n", times=3)
        server.deliver(mail(1), NAMES[-2])
        here.wait_numbers(1)
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        assert server.count("STATUS") < asked + len(NAMES)


def test_what_brought_no_bytes_on_a_link_of_its_own_is_known_where_it_is_shared_again(
    server: ImapServer, room: Rooms
) -> None:
    folders(server)
    server.capabilities = NOTIFY
    with room("start = 'all'", patience=dataclasses.replace(QUICK, fetch_again=60.0)) as here:
        reception = here.accounts.reception
        post = Post(here.account, Pulse("me", "F1"), reception, Party(here.lounge))
        with closing(here.access.open(here.account)) as shared, closing(here.access.open(here.account)) as own:
            rounds = Rounds(shared)
            list(rounds.visit(post))
            assert rounds.due("F1") == math.inf
            shared.unselect()
            server.on("UID FETCH", b"{tag} OK later\r\n")
            server.deliver(mail(1), "F1")
            own.examine("F1")
            list(catch_up(own, Progress(reception.folders.take("me", "F1")), post))
            list(rounds.visit(post))
            assert rounds.due("F1") < math.inf


def test_mail_that_is_told_of_with_the_answer_about_another_folder_is_not_lost(server: ImapServer, room: Rooms) -> None:
    """A server speaks of a mail once, with whichever command runs: here with the STATUS of another folder."""
    folders(server)

    async def meanwhile(session: Session, asked: Command) -> None:
        server.add(session.folder, Mail(0, mail(2), datetime.now(UTC)))
        await session.honest(asked)

    with room("start = 'all'\npoll = 0.3", folders=NAMES) as here:
        here.wait(lambda: all(pulse.scanned_at for pulse in here.pulses))
        server.deliver(mail(1), NAMES[-2])
        here.wait_numbers(1)
        server.on("STATUS", meanwhile)
        here.wait_numbers(1, 2)


def test_accounts_of_one_user_share_what_the_server_bears(server: ImapServer, room: Rooms) -> None:
    folders(server)
    with room("start = 'all'\npoll = 0.3", folders=NAMES) as here:
        here.wait(lambda: all(pulse.scanned_at for pulse in here.pulses))
        alone = server.logins
    with room("start = 'all'\npoll = 0.3", folders=NAMES, sharers=2) as here:
        here.wait(lambda: all(pulse.scanned_at for pulse in here.pulses))
        assert 0 < server.logins - alone <= alone // 2


def test_a_link_that_serves_many_folders_gives_way_to_a_fresh_one(server: ImapServer, room: Rooms) -> None:
    """It may be deaf: answer all that it is asked, and never show new mail."""
    folders(server)
    server.capabilities = NOTIFY
    with room("renew = 0.3", folders=NAMES, patience=dataclasses.replace(QUICK, probe=2.0)) as here:
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        here.wait(lambda: server.logins > 1)
        here.wait(lambda: all(pulse.connects > 1 and not pulse.trouble for pulse in here.pulses))
        server.deliver(mail(1), "F3")
        here.wait_numbers(1)


def test_folders_with_a_link_of_their_own_are_not_looked_after_twice(server: ImapServer, room: Rooms) -> None:
    folders(server)
    patience = dataclasses.replace(QUICK, look_for_folders=0.2)
    with room("start = 'all'\npoll = 0.1", folders=("F*",), patience=patience) as here:
        server.wait_for("LIST", times=4, seconds=20)
        server.deliver(mail(1), "F0")
        here.wait_numbers(1)
        server.wait_for("LIST", times=6, seconds=20)
        assert server.logins == 4
        assert [pulse.connects for pulse in here.pulses if pulse.state is State.LIVE] == [1, 1, 1]


def links(server: ImapServer) -> int:
    return sum(bool(session.user) for session in server.sessions)


async def two_at_most(session: Session, asked: Command) -> None:
    if links(session.server) < 2:
        await session.honest(asked)
    else:
        session.no(asked, "[LIMIT] Maximum number of connections exceeded, try again in 1 s")


@pytest.mark.parametrize("many", [3, 20], ids=["none is shared at first", "some are shared"])
def test_where_the_server_bears_fewer_links_folders_give_theirs_up(
    server: ImapServer, room: Rooms, many: int, caplog: pytest.LogCaptureFixture
) -> None:
    folders(server)
    server.on("AUTHENTICATE", two_at_most, times=None)
    patience = dataclasses.replace(QUICK, easing=1.0)
    with room("start = 'all'\npoll = 0.2\nrenew = 0.5", folders=NAMES[:many], patience=patience) as here:
        for number, name in enumerate(NAMES[:many]):
            server.deliver(mail(number), name)
        here.wait(lambda: len(here.numbers()) == many)
        here.wait(lambda: not any(pulse.trouble for pulse in here.pulses))
        assert sorted(here.numbers()) == list(range(many))
        here.wait(lambda: "bears fewer connections than 5; these folders share one" in caplog.text)


def test_patterns_stand_for_what_is_there(server: ImapServer, room: Rooms) -> None:
    folders(server)
    server.capabilities = NOTIFY
    with room("start = 'all'", folders=("INBOX", "F1*")) as here:
        here.wait(lambda: all(pulse.state is State.LIVE for pulse in here.pulses))
        expected = ["INBOX", *(name for name in sorted(NAMES) if name.startswith("F1"))]
        assert [pulse.folder for pulse in here.pulses] == expected
        server.deliver(mail(1), "F12")
        server.deliver(mail(2), "F2")
        server.deliver(mail(3))
        here.wait_numbers(1, 3)


def test_one_refused_folder_does_not_stop_the_others(server: ImapServer, room: Rooms) -> None:
    folders(server)
    server.capabilities = NOTIFY
    with room("start = 'all'", folders=("F0", "Nowhere", "F1")) as here:
        server.deliver(mail(1), "F1")
        here.wait_numbers(1)
        states = {pulse.folder: pulse for pulse in here.pulses}
        here.wait(lambda: states["Nowhere"].state is State.REFUSED)
        assert "Nowhere" in states["Nowhere"].trouble
        server.deliver(mail(2), "F0")
        here.wait_numbers(1, 2)
        assert states["Nowhere"].state is State.REFUSED


@pytest.mark.parametrize("capabilities", [NOTIFY, ""], ids=["notify", "own links"])
def test_folders_that_a_pattern_stands_for_come_and_go(server: ImapServer, room: Rooms, capabilities: str) -> None:
    server.capabilities = capabilities or server.capabilities
    server.folder("F0")
    patience = dataclasses.replace(QUICK, look_for_folders=0.3)
    with room("start = 'all'\npoll = 0.2\nrenew = 0.5", folders=("F*", "INBOX"), patience=patience) as here:
        here.wait(lambda: [pulse.state for pulse in here.pulses] == [State.LIVE] * 2)
        server.folder("F1")
        server.deliver(mail(1), "F1")
        here.wait_numbers(1)
        for name in NAMES[2:]:
            server.folder(name)
            server.deliver(mail(int(name[1:])), name)
        here.wait(lambda: len(here.numbers()) == len(NAMES) - 1)
        for name in NAMES[1:]:
            del server.folders[name]
        server.cut()  # a session that has one of them open would show it for ever
        here.wait(lambda: {pulse.folder for pulse in here.pulses} == {"F0", "INBOX"})
        server.folder("F7").uidvalidity = 8
        server.deliver(mail(77), "F7")
        here.wait(lambda: 77 in here.numbers())


def test_a_folder_that_is_refused_between_two_looks_does_not_park_the_others(server: ImapServer, room: Rooms) -> None:
    server.capabilities = NOTIFY
    folders(server)
    server.on("STATUS", b"{tag} NO [NONEXISTENT] not there for a moment\r\n")
    with room("start = 'all'", folders=NAMES[:3]) as here:
        here.wait(lambda: [pulse.state for pulse in here.pulses] == [State.LIVE] * 3)
        server.deliver(mail(1), "F2")
        here.wait_numbers(1)
    assert server.count("STATUS") > 1


def test_links_that_were_given_up_are_won_back(
    server: ImapServer, room: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    folders(server)
    server.on("AUTHENTICATE", two_at_most, times=None)
    patience = dataclasses.replace(QUICK, easing=1.0, regain=1.0, look_for_folders=0.3)
    with room("start = 'all'\npoll = 0.2\nrenew = 0.5", folders=NAMES[:3], patience=patience) as here:
        here.wait(lambda: "these folders share one" in caplog.text)
        server.script.pop("AUTHENTICATE")
        here.wait(lambda: links(server) == 3)
        here.wait(lambda: all(pulse.renewal for pulse in here.pulses), "a link of its own")
        server.deliver(mail(1), "F2")
        here.wait_numbers(1)


def test_a_link_that_is_given_up_between_two_looks_is_the_stewards_to_replace(server: ImapServer, room: Rooms) -> None:
    folders(server)
    with room() as here:
        account = dataclasses.replace(here.account, folders=NAMES[:2])
        steward = Steward(account, here.accounts.reception, Party(here.lounge), [])
        steward.assign(list(NAMES[:2]), Rounds(SimpleNamespace()), notify=False)
        assert steward.serving == []
        assert steward.crowded("F1")
        assert not steward.may_go()
        assert [post.pulse.folder for post in steward.serving] == ["F1"]


def test_links_of_a_pattern_that_lived_are_made_anew_soon(server: ImapServer, room: Rooms) -> None:
    """What is lost after a proven life is no reason to wait longer each time."""
    server.capabilities = NOTIFY
    patience = dataclasses.replace(QUICK, longest_wait=600.0, proven_life=0.0)
    with room("start = 'all'", folders=("I*",), patience=patience) as here:
        for _ in range(14):
            here.wait(lambda: server.idling)
            server.cut()
            here.wait(lambda: not server.idling)
