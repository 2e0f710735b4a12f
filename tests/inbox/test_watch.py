"""A folder is watched: nothing missed, nothing doubled, whatever the server does."""

import asyncio
import dataclasses
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.fakes.imap_server import Command, Folder, ImapServer, Mail, Session, bye, eof, reset, stall, then_honest
from tests.inbox.conftest import PATIENCE, QUICK, Room, mail
from watcher.errors import StorageFailed
from watcher.inbox.anchor import DESCRIBED
from watcher.inbox.lounge import Wait
from watcher.inbox.pulse import State
from watcher.inbox.receive import CHUNK, HEAD, SLICE
from watcher.renewal import FIRST, FLOOR

Rooms = Callable[..., Room]


def test_new_mail_is_pushed_and_old_mail_left_alone(server: ImapServer, room: Rooms) -> None:
    server.deliver(mail(1))
    with room() as here:
        here.wait_idle()
        server.deliver(mail(2))
        here.wait_numbers(2)
        here.wait_idle()
        server.deliver(mail(3))
        here.wait_numbers(2, 3)
    assert server.count("SELECT") == 0
    assert not any(b"BODY[" in line for line in server.lines), "a fetch without PEEK sets the Seen flag"


def test_a_flag_of_a_known_mail_is_no_news(server: ImapServer, room: Rooms) -> None:
    server.deliver(mail(1))
    uid = server.deliver(mail(2))
    with room("start = 'all'") as here:
        here.wait_numbers(1, 2)
        here.wait_idle()
        looks, idles = server.count("UID SEARCH"), server.count("IDLE")
        server.push(b"* 2 FETCH (FLAGS (\\Seen) UID %d)\r\n" % uid)
        server.deliver(mail(3))
        here.wait_numbers(1, 2, 3)
        server.wait_for(lambda: server.count("IDLE") > idles)
        assert server.count("UID SEARCH") == looks + 1


def test_start_all_takes_what_is_there_in_few_commands(server: ImapServer, room: Rooms) -> None:
    total = 2 * CHUNK + 3
    for number in range(total):
        server.deliver(mail(number))
    with room("start = 'all'") as here:
        here.wait_numbers(*range(total))
        here.wait_idle()
    assert server.count("UID FETCH") == 3


@pytest.mark.parametrize("in_order", [False, True])
def test_what_has_just_come_passes_a_backlog_unless_order_is_wanted(
    server: ImapServer, room: Rooms, in_order: bool
) -> None:
    total = 3 * CHUNK

    async def one_comes(session, command) -> None:
        server.add(server.inbox, Mail(0, mail(999), datetime.now(UTC)))
        await session.honest(command)

    for number in range(total):
        server.deliver(mail(number))
    server.on("UID FETCH", one_comes)
    with room("start = 'all'", most=CHUNK + 1, in_order=in_order) as here:
        here.wait(lambda: len(here.numbers()) > CHUNK)
        first = here.numbers()
        here.most = None
        here.wait_numbers(*range(total), 999)
        here.wait_idle()
    assert first[:CHUNK] == (list(range(CHUNK)) if in_order else list(range(total - CHUNK, total)))
    assert (999 in first) is not in_order


def test_what_comes_while_another_passes_a_backlog_passes_it_too(server: ImapServer, room: Rooms) -> None:
    late = iter((998, 999))

    async def one_comes(session, command) -> None:
        server.add(server.inbox, Mail(0, mail(next(late)), datetime.now(UTC)))
        await session.honest(command)

    for number in range(3 * CHUNK):
        server.deliver(mail(number))
    server.on("UID FETCH", one_comes, times=2)
    with room("start = 'all'", most=CHUNK + 1, patience=dataclasses.replace(QUICK, full=2 * PATIENCE)) as here:
        here.wait(lambda: 999 in here.numbers())
        assert here.numbers()[CHUNK:] == [998, 999]


@pytest.mark.parametrize("ends_idle", [False, True])
def test_what_comes_while_a_backlog_waits_for_room_is_let_in_at_once(
    server: ImapServer, room: Rooms, ends_idle: bool
) -> None:
    total = 3 * CHUNK
    for number in range(total):
        server.deliver(mail(number))
    if ends_idle:
        server.on("IDLE", ends_at_once, times=None)
    with room("start = 'all'", most=CHUNK) as here:
        here.wait_numbers(*range(total - CHUNK, total))
        server.deliver(mail(999))
        here.wait(lambda: 999 in here.numbers())
        assert len(here.numbers()) < total
        here.most = None
        here.wait_numbers(*range(total), 999)


async def ends_at_once(session: Session, command: Command) -> None:
    session.send("+ idling\r\n")
    session.announce()
    session.ok(command, "that was all")


def test_start_at_a_day(server: ImapServer, room: Rooms) -> None:
    for day in (1, 10, 20):
        server.deliver(mail(day), received=datetime(2026, 11, day, 12, tzinfo=UTC))
    with room("start = 2026-11-10") as here:
        here.wait_numbers(10, 20)
        here.wait_idle()
        server.deliver(mail(2), received=datetime(2026, 11, 2, 12, tzinfo=UTC))
        here.wait_numbers(10, 20, 2)


def test_what_arrives_between_two_lives_is_found(server: ImapServer, room: Rooms) -> None:
    with room() as here:
        here.wait_idle()
        server.deliver(mail(1))
        here.wait_numbers(1)
    server.deliver(mail(2))
    with room() as here:
        here.wait_numbers(1, 2)


@pytest.mark.parametrize("size", [HEAD - 1, HEAD, HEAD + 1, HEAD + SLICE, HEAD + 2 * SLICE + 17])
def test_big_mail_comes_whole(server: ImapServer, room: Rooms, size: int) -> None:
    head = mail(1, b"")
    raw = head + bytes(32 + n % 90 for n in range(size - len(head)))
    with room() as here:
        here.wait_idle()
        server.deliver(raw)
        here.wait(here.stored)
        assert here.stored() == [raw]


@pytest.mark.parametrize(
    "answer", [eof, reset, bye("going down"), b"Server Unavailable.\r\n"], ids=["eof", "rst", "bye", "odd"]
)
def test_a_link_that_ends_in_idle_is_replaced(server: ImapServer, room: Rooms, answer: object) -> None:
    with room() as here:
        here.wait_idle()
        if isinstance(answer, bytes):
            server.push(answer)
        elif answer in (eof, reset):
            server.cut(rst=answer is reset)
        else:
            server.push(b"* BYE going down\r\n")
            server.cut()
        server.deliver(mail(1))
        here.wait_numbers(1)
        here.wait_idle()
        assert here.pulse.connects == 2
        assert here.pulse.trouble == ""


async def end_when_more_came(session: Session, command: Command) -> None:
    more = await session.reader.readuntil(b"\n")
    session.ok(command)
    session.reader._buffer[:0] = more


async def end_if_nothing_came(session: Session, command: Command) -> None:
    await asyncio.sleep(0.1)
    if not session.reader._buffer:
        session.ok(command)


def test_a_look_for_what_was_told_is_sent_right_behind_done(server: ImapServer, room: Rooms) -> None:
    with room() as here:
        here.wait_idle()
        server.on("DONE", end_when_more_came)
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert here.pulse.connects == 1


@pytest.mark.parametrize("answer", [b"{tag} BAD expected DONE\r\n", eof])
def test_a_server_that_can_not_take_that_is_not_asked_so_again(server: ImapServer, room: Rooms, answer: object) -> None:
    with room() as here:
        here.wait_idle()
        server.on("UID SEARCH", answer)
        server.deliver(mail(1))
        here.wait_numbers(1)
        here.wait_idle()
        server.on("DONE", end_if_nothing_came)
        server.deliver(mail(2))
        here.wait_numbers(1, 2)
        assert here.pulse.connects == 2


def test_a_renewal_waits_for_its_answer_before_anything_is_asked(server: ImapServer, room: Rooms) -> None:
    with room("renew = 1") as here:
        here.wait_idle()
        server.on("DONE", end_if_nothing_came, times=2)
        here.wait(lambda: server.count("DONE") > 1)
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert here.pulse.connects == 1


def test_silence_after_done_is_a_dead_link(server: ImapServer, room: Rooms) -> None:
    with room("renew = 1") as here:
        server.on("DONE", stall)
        here.wait_idle()
        server.wait_for("DONE")
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert here.pulse.connects == 2


def test_idle_is_renewed_on_the_same_link(server: ImapServer, room: Rooms) -> None:
    with room("renew = 0.2") as here:
        server.wait_for("IDLE", times=4, seconds=20)
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert here.pulse.connects == 1


def test_a_path_that_cuts_links_is_remembered(server: ImapServer, room: Rooms) -> None:
    """Two links that end after the same silence teach the limit, also the next life of the daemon."""
    with room() as here:
        for connects in (1, 2):
            here.wait(lambda n=connects: here.pulse.connects == n and server.idling)
            here.wait(lambda: here.pulse.renewal == FIRST)
            silent_since = time.monotonic()
            here.wait(lambda t=silent_since: time.monotonic() - t > 1.0)
            server.cut()
        here.wait(lambda: here.pulse.renewal == FLOOR)
    with room() as here:
        here.wait(lambda: here.pulse.renewal == FLOOR)


def test_still_here_is_no_reason_to_search(server: ImapServer, room: Rooms) -> None:
    with room() as here:
        here.wait_idle()
        searches = server.count("UID SEARCH")
        heard = here.pulse.heard_at
        server.push(b"* OK Still here\r\n")
        here.wait(lambda: here.pulse.heard_at > heard)
        assert server.count("UID SEARCH") == searches
        assert here.pulse.state is State.LIVE


@pytest.mark.parametrize(("mails", "reads"), [(0, 0), (3, 1)])
def test_a_renewal_without_news_asks_the_ledger_once_or_not_at_all(
    server: ImapServer, room: Rooms, mails: int, reads: int
) -> None:
    for number in range(mails):
        server.deliver(mail(number))
    with room("start = 'all'\nrenew = 0.2") as here:
        here.wait(lambda: len(here.numbers()) == mails)
        server.wait_for("IDLE", times=2)
        asked: list[str] = []
        looks = server.count("UID SEARCH")
        here.database.reader.set_trace_callback(asked.append)
        server.wait_for("UID SEARCH", times=looks + 4)
        here.database.reader.set_trace_callback(None)
        assert len(asked) <= reads * (server.count("UID SEARCH") - looks + 1)


@pytest.mark.parametrize("command", ["UID SEARCH", "UID FETCH", "EXAMINE", "IDLE", "DONE"])
def test_news_within_any_command_is_not_lost(server: ImapServer, room: Rooms, command: str) -> None:
    """A server need not repeat an EXISTS (RFC 3501 5.2): the mail comes while another command runs."""
    server.deliver(mail(1))

    async def in_between(session, asked):
        server.inbox.mails.append(type(server.inbox.mails[0])(2, mail(2), datetime.now(UTC)))
        server.inbox.uidnext = 3
        await then_honest(b"* 2 EXISTS\r\n")(session, asked)

    server.on(command, in_between)
    with room("start = 'all'\nrenew = 2") as here:
        here.wait_numbers(1, 2)


def test_a_uid_left_out_of_an_answer_is_found_later(server: ImapServer, room: Rooms) -> None:
    for number in (1, 2, 3):
        server.deliver(mail(number))
    server.omit.add(2)
    with room("start = 'all'\nrenew = 1") as here:
        here.wait_numbers(1, 3)
        server.omit.clear()
        here.wait_numbers(1, 2, 3)


@pytest.mark.parametrize("most", [1000, 70_000])
def test_a_server_that_gives_less_than_was_asked_for_is_asked_on(server: ImapServer, room: Rooms, most: int) -> None:
    raw = mail(1, b"x" * 200_000)

    async def little(session, asked):
        asked = dataclasses.replace(
            asked, args=re.sub(r"<(\d+)\.(\d+)>", lambda m: f"<{m[1]}.{min(most, int(m[2]))}>", asked.args)
        )
        await session.honest(asked)

    server.on("UID FETCH", little, times=None)
    with room() as here:
        here.wait_idle()
        server.deliver(raw)
        here.wait(here.stored)
        assert here.stored() == [raw]


def test_a_mail_that_goes_away_between_two_slices_is_not_handled_cut_off(server: ImapServer, room: Rooms) -> None:
    server.deliver(mail(1, b"x" * (HEAD + 2 * SLICE)))
    server.deliver(mail(2))

    async def gone(session, asked):
        if f"<{HEAD}." in asked.args:
            server.inbox.mails = [kept for kept in server.inbox.mails if kept.uid != 1]
        await session.honest(asked)

    server.on("UID FETCH", gone, times=None)
    with room("start = 'all'") as here:
        here.wait_numbers(2)
        here.wait_idle()
        assert len(list(here.spool.path.iterdir())) == 1


def test_news_without_end_holds_no_thread_and_no_stop(server: ImapServer, room: Rooms) -> None:
    async def flapping(session, asked):
        await then_honest(b"* %d EXISTS\r\n" % (2 + server.count("UID SEARCH") % 2))(session, asked)

    server.on("UID SEARCH", flapping, times=None)
    with room() as here:
        server.wait_for("UID SEARCH", times=5)
        before, since = server.count("UID SEARCH"), time.monotonic()
        here.wait(lambda: time.monotonic() - since > 2.0)
        assert server.count("UID SEARCH") - before < 40


def test_stopping_does_not_wait_for_a_slow_server(server: ImapServer, room: Rooms) -> None:
    server.deliver(mail(1))
    server.on("UID FETCH", stall, times=None)
    with room("start = 'all'") as here:
        server.wait_for("UID FETCH")
        began = time.monotonic()
        here.stop()
        assert time.monotonic() - began < 10.0, "it waited for the time-out of a command"


def test_one_wrong_uid_in_an_answer_moves_nothing(server: ImapServer, room: Rooms) -> None:
    server.hide_uidnext = True
    server.on("UID SEARCH", b"* SEARCH 4294967295\r\n{tag} OK\r\n", b"* SEARCH 4294967295\r\n{tag} OK\r\n")
    with room("start = 'all'\nrenew = 0.2") as here:
        server.wait_for("IDLE", times=3)
        server.deliver(mail(1))
        here.wait_numbers(1)


def test_a_probe_that_fails_leaves_the_link_alone(server: ImapServer, room: Rooms) -> None:
    with room("renew = 0.3", patience=dataclasses.replace(QUICK, probe=0.5)) as here:
        here.wait_idle()
        server.on("AUTHENTICATE", b"{tag} NO [UNAVAILABLE] not now\r\n", times=None)
        server.wait_for("AUTHENTICATE", times=3)
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert here.pulse.connects == 1


def test_a_link_that_is_renewed_often_idles_all_the_time(server: ImapServer, room: Rooms) -> None:
    with room("renew = 0.1") as here:
        server.wait_for("IDLE", times=25)  # if these were looks in vain, there would be 10 s between two of them
        server.deliver(mail(1))
        here.wait_numbers(1)


def test_a_server_that_ends_idle_by_itself_is_not_hammered(server: ImapServer, room: Rooms) -> None:
    async def ends(session, asked):
        session.send("+ idling\r\n")
        session.ok(asked, "IDLE terminated")

    server.on("IDLE", ends, times=None)
    with room() as here:
        server.wait_for("IDLE", times=2)
        before, since = server.count("IDLE"), time.monotonic()
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert server.count("IDLE") - before <= (time.monotonic() - since) / here.patience.idle_ended + 2


def test_a_deaf_link_is_found_by_a_fresh_one(server: ImapServer, room: Rooms) -> None:
    """A session that the server has forgotten: it answers, but shows no mail that came since."""

    async def deaf(session, asked):
        if session is not old[0]:
            await session.honest(asked)
        else:
            session.send(f"* SEARCH\r\n{asked.tag} OK done\r\n")

    with room("renew = 0.3", patience=dataclasses.replace(QUICK, probe=1.0)) as here:
        here.wait_idle()
        old = list(server.sessions)
        server.on("UID SEARCH", deaf, times=None)
        server.inbox.mails.append(Mail(1, mail(1), datetime.now(UTC)))
        server.inbox.uidnext = 2
        here.wait_numbers(1)
        assert here.pulse.connects == 2


def test_a_link_to_a_folder_that_is_another_one_by_now_is_found_by_a_fresh_one(server: ImapServer, room: Rooms) -> None:
    """The old session still shows the folder that was deleted; the new one is empty, so no mail gives it away."""
    with room("renew = 0.3\nstart = 'all'", patience=dataclasses.replace(QUICK, probe=1.0)) as here:
        server.deliver(mail(1))
        here.wait_numbers(1)
        here.wait_idle()
        server.folders["INBOX"] = Folder("INBOX", uidvalidity=8)
        here.wait(lambda: here.pulse.connects == 2)
        here.wait_idle()
        server.deliver(mail(2))
        here.wait_numbers(1, 2)


def test_after_a_clock_jump_every_link_is_renewed(
    server: ImapServer, room: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    with room() as here:
        here.wait_idle()
        real = time.time
        monkeypatch.setattr("watcher.inbox.lounge.time.time", lambda: real() + 3600.0)
        server.push(b"* OK Still here\r\n")
        server.wait_for("DONE")
        server.wait_for("IDLE", times=2)
        assert here.pulse.connects == 1


@pytest.mark.parametrize("slept", [True, False])
def test_a_link_that_was_lost_in_sleep_teaches_nothing_of_the_path(
    server: ImapServer, room: Rooms, monkeypatch: pytest.MonkeyPatch, slept: bool
) -> None:
    async def dead(session, asked):
        session.send("+ go on\r\n")
        await session.reader.read()

    server.on("IDLE", dead)
    with room("" if slept else "renew = 1") as here:
        here.wait(lambda: here.pulse.state is State.LIVE)
        real = time.time
        if slept:
            monkeypatch.setattr("watcher.inbox.lounge.time.time", lambda: real() + 3600.0)
            server.push(b"* OK Still here\r\n")
        here.wait_idle()
        assert here.pulse.connects == 2
        deaths = here.accounts.reception.paths.renewal(here.account.path).deaths
        assert len(deaths) == (0 if slept else 1)


def test_a_mail_that_is_gone_before_it_is_fetched_is_passed_over(server: ImapServer, room: Rooms) -> None:
    for number in (1, 2):
        server.deliver(mail(number))

    async def expunge(session, asked):
        server.inbox.mails = [kept for kept in server.inbox.mails if kept.uid != 1]
        await then_honest(b"")(session, asked)

    server.on("UID FETCH", expunge)
    with room("start = 'all'") as here:
        here.wait_numbers(2)
        here.wait_idle()


def test_a_re_made_mailbox_is_recognised(server: ImapServer, room: Rooms) -> None:
    then = datetime(2026, 11, 21, 9, tzinfo=UTC)
    with room("start = 'all'") as here:
        for number in (1, 2, 3):
            server.deliver(mail(number), received=then)
        here.wait_numbers(1, 2, 3)
        inbox = server.inbox
        inbox.uidvalidity, inbox.uidnext, inbox.mails = 8, 1, []
        server.cut()
        for number in (3, 4, 1):
            server.deliver(mail(number), received=then)
        here.wait_numbers(1, 2, 3, 4)
        here.wait_idle()
        assert here.numbers() == [1, 2, 3, 4]
        server.deliver(mail(5))
        here.wait_numbers(1, 2, 3, 4, 5)


def test_others_get_their_turn_while_a_big_re_made_mailbox_is_listed(server: ImapServer, room: Rooms) -> None:
    turns: list[int] = []  #: questions for mails that had come, each time another guest was served

    async def slowly(session, asked):
        await asyncio.sleep(0.05)
        await session.honest(asked)

    def other():
        while True:
            turns.append(server.count("UID FETCH"))
            yield Wait(time.monotonic() + 0.01)

    for number in range(3 * DESCRIBED):
        server.deliver(mail(number), received=datetime(2020, 1, 1, tzinfo=UTC))
    with room(threads=1) as here:
        here.wait_idle()
        server.inbox.uidvalidity = 8
        server.on("UID FETCH", slowly, times=None)
        here.lounge.admit(other())
        server.cut()
        here.wait(lambda: here.pulse.connects == 2 and server.idling)
    assert server.count("UID FETCH") == 3
    assert {1, 2} <= set(turns)


def test_re_made_with_the_old_validity_but_smaller_uids(server: ImapServer, room: Rooms) -> None:
    with room("start = 'all'") as here:
        for number in (1, 2, 3):
            server.deliver(mail(number))
        here.wait_numbers(1, 2, 3)
        server.inbox.uidnext, server.inbox.mails = 1, []
        server.cut()
        server.deliver(mail(4))
        here.wait_numbers(1, 2, 3, 4)


def test_a_second_delivery_after_a_reset_is_known(server: ImapServer, room: Rooms) -> None:
    with room("start = 'all'") as here:
        server.deliver(mail(1))
        here.wait_numbers(1)
        server.inbox.uidvalidity, server.inbox.uidnext, server.inbox.mails = 9, 1, []
        server.cut()
        server.deliver(b"Received: anew\r\n" + mail(1))
        server.deliver(mail(2))
        here.wait_numbers(1, 2)


def test_a_server_that_changes_uidvalidity_for_ever_is_left_alone(server: ImapServer, room: Rooms) -> None:
    with room() as here:
        here.wait_idle()

        async def anew(session, asked):
            server.inbox.uidvalidity += 1
            await then_honest(b"")(session, asked)

        server.on("EXAMINE", anew, times=None)
        for connects in range(2, 7):
            server.cut()
            here.wait(lambda n=connects: here.pulse.connects >= n and here.server.idling)
        server.cut()
        here.wait(lambda: here.pulse.state is State.REFUSED)
        assert "made this folder anew 5 times in a row" in here.pulse.trouble


@pytest.mark.parametrize("knob", ["hide_uidnext", "hide_uidvalidity"])
def test_servers_that_tell_little(server: ImapServer, room: Rooms, knob: str) -> None:
    setattr(server, knob, True)
    server.deliver(mail(1))
    for first, second in ((2, 3), (4, 5)):
        with room() as here:
            here.wait_idle()
            server.deliver(mail(first))
            here.wait(lambda n=first: n in here.numbers())
            server.deliver(mail(second))
            here.wait(lambda n=second: n in here.numbers())
            assert here.numbers() == list(range(2, second + 1))


def test_without_idle_the_folder_is_polled(server: ImapServer, room: Rooms) -> None:
    server.capabilities = "IMAP4rev1 AUTH=PLAIN"
    with room("poll = 0.2") as here:
        here.wait(lambda: here.pulse.state is State.POLLING)
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert server.count("IDLE") == 0


def test_a_server_that_lists_idle_and_refuses_it_is_polled(
    server: ImapServer, room: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("IDLE", b"{tag} NO not for you\r\n", times=None)
    with room("poll = 0.2") as here:
        for number in (1, 2, 3):
            here.wait(lambda: here.pulse.state is State.POLLING)
            server.deliver(mail(number))
            here.wait_numbers(*range(1, number + 1))
        assert here.pulse.connects == server.count("IDLE") == 1
    assert caplog.text.count("asking every") == 1


def test_several_folders_and_a_mail_moved_between_them(server: ImapServer, room: Rooms) -> None:
    server.folder("Work")
    with room(folders=("INBOX", "Work")) as here:
        here.wait_idle(2)
        then = datetime(2026, 11, 21, 9, tzinfo=UTC)
        server.deliver(mail(1), received=then)
        here.wait_numbers(1)
        server.expunge(1)
        server.deliver(mail(1), "Work", received=then)
        server.deliver(mail(2), "Work")
        here.wait_numbers(1, 2)
        assert here.numbers() == [1, 2]


def test_a_refused_login_is_told_and_not_repeated_at_once(server: ImapServer, room: Rooms) -> None:
    server.users = {"me": "another"}
    with room() as here:
        here.wait(lambda: here.pulse.state is State.REFUSED)
        assert here.pulse.answered
        assert "secret" not in here.pulse.trouble
        assert server.logins == 1


def test_a_folder_that_is_not_there_is_told(server: ImapServer, room: Rooms) -> None:
    with room(folders=("Nowhere",)) as here:
        here.wait(lambda: here.pulse.state is State.REFUSED)
        assert "Nowhere" in here.pulse.trouble


def test_a_full_disk_holds_mail_back_and_lets_it_in_later(server: ImapServer, room: Rooms) -> None:
    with room(trouble="the disk is full") as here:
        here.wait(lambda: here.pulse.scanned_at)
        server.deliver(mail(1))
        here.wait(lambda: here.pulse.state is State.HELD)
        assert "disk_floor" in here.pulse.trouble
        assert here.numbers() == []
        here.trouble = ""
        here.wait_numbers(1)
        here.wait_idle()
        assert here.pulse.connects == 1


def test_where_a_commit_fails_nobody_knows_whether_it_was_made_and_the_mail_is_kept(
    server: ImapServer, room: Rooms
) -> None:
    def write_much() -> None:
        here.database.propose(lambda db: db.execute("INSERT INTO meta VALUES ('much', ?)", ("x" * 1_000_000,)))

    here = room(arriving=write_much)
    with here:
        here.wait_idle()
        here.database.ending.set()  # else it would wait for room
        pages = here.database.writer.execute("PRAGMA page_count").fetchone()[0]
        here.database.writer.execute(f"PRAGMA max_page_count = {pages}")
        server.deliver(mail(1))
        end = time.monotonic() + PATIENCE
        while not here.failures:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert [type(failure) for failure in here.failures] == [StorageFailed]
        assert [path.name for path in here.spool.path.glob("*/message.eml")] == ["message.eml"]
        here.failures.clear()


def test_a_cut_in_the_middle_of_a_fetch_leaves_no_half_mail(server: ImapServer, room: Rooms) -> None:
    raw = mail(1, b"x" * (HEAD + SLICE))
    server.deliver(raw)
    server.on("UID FETCH", then_honest(b""), reset)
    with room("start = 'all'") as here:
        here.wait(here.stored)
        assert here.stored() == [raw]
        assert [path.name for path in here.spool.path.iterdir()] == [here.desk().entries()[0].key]


def test_closing_leaves_no_thread_and_no_link(server: ImapServer, room: Rooms) -> None:
    before = threading.active_count()
    with room() as here:
        here.wait_idle()
    server.wait_for(lambda: not server.idling)
    assert threading.active_count() == before


def test_a_mail_between_the_two_searches_of_a_first_look_is_fetched_once(server: ImapServer, room: Rooms) -> None:
    async def then_one_comes(session, asked):
        await session.honest(asked)
        server.deliver(mail(1))

    server.on("UID SEARCH", then_one_comes)
    with room() as here:
        here.wait_numbers(1)
        here.wait_idle()
        assert server.count("UID FETCH") == 1


def test_a_mail_that_is_known_already_is_told_of_before_its_folder_goes(server: ImapServer, room: Rooms) -> None:
    server.folder("Orders")
    server.deliver(mail(1))
    with room("start = 'all'", folders=("INBOX", "Orders")) as here:
        here.wait_numbers(1)
        server.deliver(mail(1), folder="Orders")
        here.wait(lambda: len(here.told) == 3)
        (first, entered, _), (second, known, _), dropped = here.told
        assert (first, second) == ("storing", "storing")
        assert dropped == ("dropping", known, True)
        here.wait(lambda: [path.name for path in here.spool.path.iterdir()] == [entered])


def test_so_is_one_that_an_older_link_may_not_enter(server: ImapServer, room: Rooms) -> None:
    with room() as here:
        here.wait_idle()
        here.database.write(lambda db: db.execute("UPDATE folder SET generation = generation + 1").rowcount)
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert [(what, there) for what, _, there in here.told] == [
            ("storing", True),
            ("dropping", True),
            ("storing", True),
        ]
