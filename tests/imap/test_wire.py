"""How long and how much: every answer ends, or the link does."""

import socket

import pytest

from tests.fakes.imap_server import drip, stall
from tests.imap.conftest import ME, endpoint
from watcher.errors import ActionRefused, MailboxLost
from watcher.imap.link import Endpoint, connect
from watcher.imap.tidings import Tidings
from watcher.imap.wire import whole


@pytest.mark.parametrize(
    ("response", "rest"),
    [
        (b"* 1 EXISTS\r\n", b"* 2"),
        (b"* 2 FETCH (BODY[] {9}\r\n* 9 EXI\r\n FLAGS ())\r\n", b""),
        (b"* 2 FETCH (A {0}\r\n B {2+}\r\n\r\n)\r\n", b"* 3"),
        (b"* OK {x}\r\n", b"\r\n"),
    ],
)
def test_a_response_is_whole_at_its_last_byte_and_not_before(response, rest):
    for size in range(len(response)):
        assert whole(bytearray(response[:size])) == 0
    assert whole(bytearray(response + rest)) == len(response)


async def flood(session, _command):
    while True:
        session.send(b"* OK " + b"x" * 100_000 + b"\r\n")
        await session.flush()


async def endless_line(session, _command):
    while True:
        session.send(b"* OK " + b"x" * 100_000)
        await session.flush()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (stall, "no answer in time"),
        (drip(b"* SEARCH" + b" 1" * 500 + b"\r\n{tag} OK done\r\n", 0.02), "no answer in time"),  # 20 s, never idle
        (flood, "no end"),
        (endless_line, "no end"),
        (b"* SEARCH 1\r\n* 1 FETCH (BODY[] {3000000000}\r\n", "nobody asked for"),
        (b"* 1 FETCH (BODY[] {9999999999999999999999}\r\n", "nobody asked for|makes no sense"),
        (b"* SEARCH {3}\r\n1 2\r\n{tag} OK done\r\n", "where none belongs"),
        (b"* BYE [UNAVAILABLE] going (down\r\n", r"going \(down"),
        (b"* SEARCH 1\r\n{tag} BAD what?\r\n", "what?"),
        (b"{tag} NO [SERVERBUG] oops\r\n", "oops"),
        (b"* SEARCH 1\r\nX99 OK done\r\n", "unexpected"),
        (b"Server Unavailable.\r\n", "Server Unavailable"),
        (b"* SEARCH 1\n{tag} OK done\r\n", "unterminated"),
        (b"\x00\x1b[2J\r\n", r"unexpected"),
    ],
)
def test_a_bad_answer_ends_the_link(server, dial, answer, words):
    link = dial(timeout=1)
    link.examine("INBOX")
    server.on("UID SEARCH", answer)
    with pytest.raises(MailboxLost, match=words) as lost:
        link.search(1)
    assert str(lost.value).isprintable()
    assert len(str(lost.value)) < 250
    with pytest.raises(MailboxLost, match="closed"):  # what comes later on this link can't be trusted
        link.search(1)


@pytest.mark.parametrize("rst", [True, False])
def test_a_cut_in_the_middle_of_an_answer(server, link, rst):
    async def cut(session, _command):
        session.send(b"* SEARCH 1")
        await session.writer.drain()
        session.reset() if rst else session.writer.close()

    server.on("UID SEARCH", cut)
    with pytest.raises(MailboxLost, match=r"closed the connection|reset by peer"):
        link.search(1)


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"* BYE [LIMIT] too many of you\r\n", "too many of you"),
        (b"220 mail.example ESMTP\r\n", "unexpected"),
        (b"HTTP/1.1 400 Bad Request\r\n", "unexpected"),
        (b"* OK hi {5}\r\n", "where none belongs"),
    ],
)
def test_a_greeting_that_is_none(server, greeting, words):
    server.greeting = greeting
    with pytest.raises(MailboxLost, match=words):
        connect(endpoint(server), ME)


@pytest.mark.parametrize("command", ["CONNECT", "CAPABILITY", "AUTHENTICATE", "ID"])
def test_silence_at_any_step_of_connecting(server, command):
    server.on(command, stall)
    with pytest.raises(MailboxLost, match="no answer in time"):
        connect(endpoint(server), ME, timeout=0.5)


def test_silence_in_the_handshake():
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(MailboxLost, match="no answer in time"):
        connect(Endpoint("127.0.0.1", listener.getsockname()[1]), ME, timeout=0.3)


def test_nobody_is_there(server):
    with pytest.raises(MailboxLost, match=r"can't connect to 127.0.0.1:1: Connection refused"):
        connect(endpoint(server, port=1), ME)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example"])
def test_a_name_that_does_not_resolve(server, host):
    with pytest.raises(MailboxLost, match="can't be resolved"):
        connect(endpoint(server, host=host), ME)


def test_one_dead_address_of_several_does_not_use_up_the_time(server):
    """`localhost` may well be ::1 first, where nobody listens."""
    link = connect(endpoint(server, host="localhost"), ME)
    link.close()


def test_a_conversation_byte_by_byte(server, dial):
    uid = server.deliver(b"Message-ID: <a@b>\r\n\r\nx")
    server.piece = 1
    link = dial()
    assert link.examine("INBOX").exists == 1
    assert link.search(1) == [uid]
    assert link.whole(uid) == b"Message-ID: <a@b>\r\n\r\nx"


def test_nothing_piles_up(server, link):
    """imaplib keeps what nobody fetched until the next SELECT: a leak on a link that lives for months."""
    server.deliver(b"x")
    for _ in range(20):
        server.on("NOOP", b"* 1 EXISTS\r\n* 1 FETCH (FLAGS ())\r\n* OK x\r\n{tag} OK done\r\n")
        link.noop()
        link.search(1)
    assert link._wire.untagged_responses == {}
    assert not link._wire.tagged_commands
    assert not link._wire._cmd_log
    assert "secret" not in repr(vars(link._wire))


def test_words_without_end_take_no_memory(server, link):
    class Heard(Tidings):
        def take(self, line):
            kept.append(sum(len(each) for each in link._wire.untagged_responses.values()))
            super().take(line)

    kept = []
    link._wire.tidings = Heard()
    server.on("NOOP", b"* OK the line is fine, thank you\r\n" * 5_000 + b"* OK [ALERT] look\r\n{tag} OK done\r\n")
    link.noop()
    assert len(kept) == 5_002
    assert max(kept) < 10


def test_a_failure_in_sending_reads_like_one_in_reading(server, dial):
    """imaplib wraps the one in words of its own, not the other."""
    link = dial()
    link._timeout = 0  # time is up before the command is out
    with pytest.raises(MailboxLost, match=r"127.0.0.1: no answer in time$"):
        link.noop()
    assert server.count("NOOP") == 0


def test_a_status_without_words_is_one(server, link):
    server.on("NOOP", b"{tag} OK\r\n")
    link.noop()
    server.on("CREATE", b"{tag} NO\r\n")
    with pytest.raises(ActionRefused):
        link.create("Done")
    link.noop()
