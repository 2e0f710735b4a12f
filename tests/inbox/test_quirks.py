"""What providers do that no standard knows, as reported from the field: the mail is handled, or the cure is told."""

import dataclasses
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.imap_server import Command, ImapServer, Session, eof, then_honest
from tests.inbox.conftest import QUICK, Room, mail
from watcher.inbox.pulse import State

Provider = Callable[..., tuple[ImapServer, Room]]

GMAIL, MICROSOFT, QQ = "imap.gmail.com", "outlook.office365.com", "imap.qq.com"
NETEASE, ICLOUD, YANDEX = "imap.163.com", "imap.mail.me.com", "imap.yandex.com"


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A server under the name of a provider's, which is this machine now, and a room that watches it."""
    ask = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: ask("127.0.0.1" if host in ours else host, *a, **k)
    )
    ours: set[str] = set()
    with ExitStack() as running:

        def make(host: str, settings: str = "", **given: object) -> tuple[ImapServer, Room]:
            ours.add(host)
            server = running.enter_context(ImapServer(names=(host,)))
            return server, Room(tmp_path / "state", server, settings, host=host, **given)

        yield make


def told(here: Room, state: State, *words: str) -> None:
    """Waits until the status says `state`, and what to do about it in `words`."""
    here.wait(lambda: here.pulse.state is state and here.pulse.trouble, f"expected {state}")
    for word in words:
        assert word in here.pulse.trouble


# --- NetEase --------------------------------------------------------------------------------------------------------


async def unsafe_login(session: Session, asked: Command) -> None:
    """mjs/imapclient#544: who has not introduced himself opens nothing."""
    if any(line.split(b" ")[1:2] == [b"ID"] for line in session.server.lines):
        await session.honest(asked)
    else:
        session.no(asked, f"{asked.name} Unsafe Login. Please contact kefu@188.com for help")


def test_netease_wants_an_id_and_has_neither_uidnext_nor_idle(at: Provider) -> None:
    server, room = at(NETEASE, "poll = 0.2")
    server.capabilities, server.hide_uidnext = "IMAP4rev1 AUTH=PLAIN ID XLIST", True
    server.on("EXAMINE", unsafe_login, times=None)
    server.deliver(mail(1))
    with room as here:
        here.wait(lambda: here.pulse.state is State.POLLING)
        server.deliver(mail(2))
        here.wait_numbers(2)


def test_netease_does_not_like_our_id(at: Provider) -> None:
    server, room = at(NETEASE)
    server.capabilities = "IMAP4rev1 AUTH=PLAIN"
    server.on("EXAMINE", unsafe_login, times=None)
    with room as here:
        told(here, State.REFUSED, "Unsafe Login", "nothing is wrong with your account or password")
        assert server.logins == 1


# --- Microsoft ------------------------------------------------------------------------------------------------------


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file that another program keeps the token in."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("token")
    return path


def office(at: Provider, token: Path, **given: object) -> tuple[ImapServer, Room]:
    server, room = at(MICROSOFT, f"token = {{ file = '{token}' }}", **given)
    server.capabilities = "IMAP4rev1 AUTH=XOAUTH2 IDLE UIDPLUS MOVE ID"
    return server, room


def test_microsoft_announces_mail_before_it_consents_to_idle(at: Provider, token: Path) -> None:
    """Webklex/php-imap#258."""
    server, room = office(at, token)

    async def exists_first(session: Session, asked: Command) -> None:
        server.inbox.mails, server.inbox.uidnext = [*waiting], 2
        await then_honest(b"* 1 EXISTS\r\n")(session, asked)

    server.deliver(mail(1))
    waiting, server.inbox.mails, server.inbox.uidnext = server.inbox.mails, [], 1
    server.on("IDLE", exists_first)
    with room as here:
        here.wait_numbers(1)
        assert here.pulse.connects == 1


def test_microsoft_names_the_time_to_wait(at: Provider, token: Path) -> None:
    """postalsys/imapflow: the hint is honoured; a second is the least."""
    server, room = office(at, token)
    server.on("UID FETCH", b"{tag} BAD Request is throttled. Suggested Backoff Time: 1500 milliseconds\r\n")
    with room as here:
        here.wait_idle()
        server.deliver(mail(1))
        told(here, State.WAITING, "throttled", "the server asks for patience")
        here.wait_numbers(1)
        here.wait_idle()
        assert (here.pulse.connects, here.pulse.trouble) == (2, "")


def test_microsoft_ends_a_session_with_its_token(at: Provider, token: Path) -> None:
    """iroco-co/aioimaplib#83."""
    server, room = office(at, token)
    with room as here:
        here.wait_idle()
        token.write_text("fresh")
        server.tokens = {"me": "fresh"}
        server.push(b"* BYE Session invalidated - AccessTokenExpired\r\n")
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert server.logins == 2


def test_microsoft_does_not_take_our_token_at_all(at: Provider, token: Path) -> None:
    server, room = office(at, token)
    server.tokens = {}
    with room as here:
        told(here, State.REFUSED, "sign in again")
        assert server.logins == 2, "once more, since the first refusal may be of one that has run out"


def test_microsoft_takes_no_passwords(at: Provider) -> None:
    server, room = at(MICROSOFT)
    with room as here:
        told(here, State.REFUSED, "passwords are off; set `oauth` and sign in with Microsoft")
        assert server.logins == 0


def test_microsoft_says_not_connected_and_means_too_many(at: Provider, token: Path) -> None:
    server, room = office(at, token)
    server.on("EXAMINE", b"{tag} BAD User is authenticated but not connected.\r\n", times=None)
    with room as here:
        told(here, State.WAITING, "give the main address as user", "close other mail programs")
        assert server.logins == 1, "five minutes are known to be needed"


# --- Gmail ----------------------------------------------------------------------------------------------------------


def test_gmail_leaves_out_a_mail_and_tells_others_twice(at: Provider) -> None:
    """MailCore/mailcore2#1256; modern-email/defects#39: two FETCH lines; #28: a code without text."""
    server, room = at(GMAIL, "renew = 0.5")
    server.omit.add(2)
    server.on("UID FETCH", then_honest(b"* 1 FETCH (UID 1 FLAGS ())\r\n* OK [HIGHESTMODSEQ 7]\r\n"), times=None)
    with room as here:
        here.wait_idle()
        for number in (1, 2, 3):
            server.deliver(mail(number))
        here.wait_numbers(1, 3)
        server.omit.clear()
        here.wait_numbers(1, 2, 3)


def test_gmail_alerts(at: Provider) -> None:
    server, room = at(GMAIL)
    server.on("AUTHENTICATE", b"{tag} NO [ALERT] Application-specific password required: https://x.test (Failure)\r\n")
    with room as here:
        told(here, State.REFUSED, "https://x.test", "turn on 2-step verification and make an app password")


def test_gmail_has_too_many_of_us(at: Provider) -> None:
    server, room = at(GMAIL)
    server.on("CONNECT", b"* BYE [ALERT] Too many simultaneous connections. (Failure)\r\n", times=None)
    with room as here:
        told(here, State.WAITING, "Too many simultaneous", "close other mail programs")
        assert server.count("CAPABILITY") == 0


# --- QQ -------------------------------------------------------------------------------------------------------------

FIVE_CAUSES = (
    b"{tag} NO Login fail. Account is abnormal, service is not open, password is incorrect, "
    b"login frequency limited, or system is busy.\r\n"
)


def test_qq_has_one_text_for_five_causes(at: Provider) -> None:
    server, room = at(QQ)
    server.on("AUTHENTICATE", FIVE_CAUSES, times=None)
    with room as here:
        told(here, State.REFUSED, "system is busy", "授权码", "QQ limits")
        assert server.count("AUTHENTICATE") == 1


def test_qq_refuses_a_right_code_now_and_then(at: Provider) -> None:
    """pppscn/SmsForwarder#507. Ten minutes are known to be needed, so the time is set here by what the server says."""
    server, room = at(QQ)
    server.on("AUTHENTICATE", FIVE_CAUSES.replace(b"busy", b"busy, try again in 1 s"))
    with room as here:
        told(here, State.REFUSED)
        server.deliver(mail(1))
        here.wait_idle()
        server.deliver(mail(2))
        here.wait_numbers(2)


# --- the others -----------------------------------------------------------------------------------------------------


def test_icloud_sends_no_text_to_who_asks_for_rfc822(at: Provider) -> None:
    """modern-email/defects#36: OK, and nothing."""
    server, room = at(ICLOUD)

    async def nothing(session: Session, asked: Command) -> None:
        items = asked.args.upper().replace("RFC822.SIZE", "")
        if "RFC822" in items:
            session.send(f"* 1 FETCH (UID 1)\r\n{asked.tag} OK done\r\n")
        else:
            await session.honest(asked)

    server.on("UID FETCH", nothing, times=None)
    with room as here:
        here.wait_idle()
        server.deliver(mail(1))
        here.wait(here.stored)
        assert here.stored() == [mail(1)]


def test_yandex_cuts_at_random(at: Provider) -> None:
    """mjs/imapclient#234: in the midst of anything, also with a word of goodbye."""
    server, room = at(YANDEX, "start = 'all'")
    for command in ("EXAMINE", "UID SEARCH", "UID FETCH", "IDLE", "DONE", "AUTHENTICATE", "ID"):
        server.on(command, then_honest(b""), eof)
    with room as here:
        for number in range(1, 8):
            server.deliver(mail(number))
            here.wait(lambda n=number: n in here.numbers())
            server.push(b"* BYE Autologout; idle for too long\r\n")
            server.cut()
        here.wait_idle()
        assert sorted(here.numbers()) == list(range(1, 8)), "none missed, none twice"


def test_yandex_does_not_tell_a_wrong_password_from_imap_switched_off(at: Provider) -> None:
    server, room = at(YANDEX)
    server.on("AUTHENTICATE", b"{tag} NO [AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled\r\n")
    with room as here:
        told(here, State.REFUSED, "invalid credentials or IMAP is disabled", "IMAP", "app password")


def test_courier_has_words_of_its_own(at: Provider) -> None:
    """ultrabug/py3status#1899, MailKit: `+ entering idle mode`, and `* 0 FETCH`."""
    server, room = at("mail.example.com")

    async def entering(session: Session, asked: Command) -> None:
        real, session.send = (
            session.send,
            lambda data: real(data.replace("+ idling", "+ entering idle mode") if isinstance(data, str) else data),
        )
        await session.honest(asked)
        del session.send

    server.on("IDLE", entering, times=None)
    server.on("UID FETCH", then_honest(b"* 0 FETCH (FLAGS ())\r\n"), times=None)
    with room as here:
        here.wait_idle()
        server.push(b"* 0 FETCH (FLAGS (\\Seen))\r\n")
        server.deliver(mail(1))
        here.wait_numbers(1)
        assert here.pulse.connects == 1


@pytest.mark.parametrize("difference", [-30, 1, 100_000])
def test_exchange_guesses_the_size(at: Provider, difference: int) -> None:
    """RFC822.SIZE is an estimate there (EnableExactRFC822Size)."""
    server, room = at("mail.example.com")

    async def estimated(session: Session, asked: Command) -> None:
        def guess(size: re.Match[bytes]) -> bytes:
            return b"RFC822.SIZE %d" % (int(size[1]) + difference)

        real = session.send
        session.send = lambda data: real(
            re.sub(rb"RFC822\.SIZE (\d+)", guess, data if isinstance(data, bytes) else data.encode())
        )
        await session.honest(asked)
        del session.send

    server.on("UID FETCH", estimated, times=None)
    raws = [mail(1), mail(2, b"x" * 40_000), mail(3, b"y" * 3_000_000)]
    with room as here:
        here.wait_idle()
        for raw in raws:
            server.deliver(raw)
        here.wait(lambda: len(here.stored()) == len(raws))
        assert sorted(here.stored()) == sorted(raws)


@pytest.mark.parametrize("command", ["UID SEARCH", "UID FETCH", "IDLE", "DONE", "EXAMINE"])
def test_exchange_ends_outside_of_the_protocol(at: Provider, command: str) -> None:
    server, room = at("mail.example.com", "renew = 1\nstart = 'all'")
    server.on(command, b"Server Unavailable. 15\r\n")
    server.deliver(mail(1))
    with room as here:
        here.wait(lambda: here.pulse.connects == 2)
        server.deliver(mail(2))
        here.wait_numbers(1, 2)
        here.wait_idle()
        assert here.pulse.trouble == ""


def test_the_limit_of_dovecot_is_no_wrong_password(at: Provider) -> None:
    server, room = at("mail.example.com", patience=dataclasses.replace(QUICK, refused=(60.0, 60.0)))
    words = b"{tag} NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)\r\n"
    server.on("AUTHENTICATE", words, times=None)
    with room as here:
        told(here, State.WAITING, "the password is not wrong")
