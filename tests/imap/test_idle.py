"""imapclient's IDLE loses lines, swallows EOF and waits without end (research rows 1 to 13); ours must not."""

import time

import pytest

from tests.fakes.imap_server import reset, stall
from tests.imap.conftest import heard, leave_idle, readable
from watcher.errors import IdleRefused, MailboxLost


@pytest.fixture
def idle(link):
    link.start_idle()
    assert not link.news
    return link


def test_a_mail_that_comes(server, idle):
    uid = server.deliver(b"x")
    assert heard(idle)
    assert idle.news
    leave_idle(idle)
    idle.clear_news()
    assert idle.search(1) == [uid]
    assert not idle.news


def test_the_answer_to_done_may_be_waited_for_a_moment(server, idle):
    idle.end_idle()
    assert idle.idle_ended(within=10)


def test_but_no_longer_than_that(server, idle):
    server.on("DONE", stall)
    idle.end_idle()
    began = time.monotonic()
    assert not idle.idle_ended(within=0.05)
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"* 2 EXPUNGE\r\n* 3 EXISTS\r\n", b""),  # RFC 2177's own example
        (b"* 1521 EXISTS\r\n", b""),  # Microsoft 365
        (b"", b"* 1 EXISTS\r\n"),  # in the packet of the consent
        (b"* FLAGS (\\Seen)\r\n* 1 EXISTS\r\n", b"* OK Still here\r\n"),
    ],
)
def test_news_around_the_consent(server, link, before, after):
    server.on("IDLE", before + b"+ idling\r\n" + after)
    link.start_idle()
    assert link.news
    assert link.hear()  # so nobody parks on it


def test_chatter_around_the_consent_is_no_news(server, link):
    server.on("IDLE", b"* FLAGS (\\Seen)\r\n* OK hi\r\n+\r\n* OK Still here\r\n+ again\r\n")
    link.start_idle()
    assert not link.news


def test_half_a_line_with_the_consent(server, link):
    server.on("IDLE", b"+ idling\r\n* 1 EX")
    link.start_idle()
    assert not link.news
    server.push(b"ISTS\r\n")
    assert heard(link)


@pytest.mark.parametrize(
    "line",
    [
        b"* 4 EXISTS\r\n",
        b"* 1 RECENT\r\n",
        b"* 1 EXPUNGE\r\n",
        b"* 1 FETCH (FLAGS (\\Seen) UID 4)\r\n",
        b"* VANISHED 4\r\n",
        b"* 2 FETCH (BODY[] {13}\r\n* 9 EXISTS\r\n) UID 4)\r\n",
    ],
)
def test_news_split_at_every_byte(server, idle, line):
    for at in range(1, len(line)):
        server.push(line[:at])
        assert not heard(idle)
        assert not idle.hear()  # nothing there: returns at once
        server.push(line[at:])
        assert heard(idle)
        assert idle.hear()  # until somebody looks
        idle.clear_news()
    assert idle._wire.tidings.exists < 9  # what stands in a literal is no line


@pytest.mark.parametrize(
    "line", [b"* OK Still here\r\n", b"* 3 FOO\r\n", b"* NO [ALERT] disk nearly full\r\n", b"+ again\r\n"]
)
def test_proof_of_life_split_at_every_byte(server, idle, line):
    for at in range(1, len(line)):
        before = idle.heard_at
        server.push(line[:at])
        assert not heard(idle)
        server.push(line[at:])
        assert not heard(idle)
        assert before < idle.heard_at <= time.monotonic()
    assert not idle.news


def test_many_lines_over_many_records(server, idle):
    server.push(b"".join(b"* OK Still here\r\n" * 999 + b"* %d EXISTS\r\n" % (i + 1) for i in range(4)))
    while idle._wire.tidings.exists < 4:
        readable(idle)
        idle.hear()
    assert idle.news


ENDS = {
    "BYE": (b"* BYE Autologout; idle for too long\r\n", "idle for too long"),
    "BYE with a bracket": (b"* BYE Session (invalid\r\n", r"Session \(invalid"),
    "BYE without a word": (b"* BYE\r\n", "BYE"),
    "NO": (b"idle1 NO [UNAVAILABLE] later\r\n", "later"),
    "BAD": (b"idle1 BAD Request is throttled\r\n", "throttled"),
    "another tag": (b"W9 OK done\r\n", "done"),
    "not IMAP": (b"Server Unavailable.\r\n", "Server Unavailable"),
    "an endless line": (b"* OK " + b"x" * 100_000, "without end"),
    "an endless literal": (b"* 1 FETCH (X {99999999}\r\n" + b"x" * 100_000, "without end"),
}


@pytest.mark.parametrize(("data", "words"), ENDS.values(), ids=ENDS)
def test_what_ends_the_link(server, idle, data, words):
    server.push(data)
    with pytest.raises(MailboxLost, match=words):
        all(not heard(idle) for _ in range(1000))
    with pytest.raises(MailboxLost):
        idle.hear()


@pytest.mark.parametrize("rst", [True, False])
def test_the_end_of_the_path_is_told_once_and_again(server, idle, rst):
    server.cut(rst=rst)
    with pytest.raises(MailboxLost, match=r"closed the connection|reset by peer"):
        heard(idle)
    with pytest.raises(MailboxLost):
        idle.hear()


def test_bye_and_then_the_end(server, idle):
    server.push(b"* 1 EXISTS\r\n* BYE shutting down\r\n")
    server.cut()
    with pytest.raises(MailboxLost, match="shutting down"):
        heard(idle)


def test_the_server_may_end_idle_by_itself(server, idle):
    server.push(b"* 1 EXISTS\r\nidle1 OK enough\r\n")
    assert heard(idle)
    idle.end_idle()
    assert idle.idle_ended()
    assert server.count("DONE") == 0
    assert idle.news


def test_an_early_end_without_news_still_asks_for_a_look(server, idle):
    server.push(b"idle1 OK enough\r\n")
    assert heard(idle)
    assert idle.idle_ended()
    assert not idle.news


def test_news_with_the_end_of_idle(server, idle):
    server.on("DONE", b"* 1 EXISTS\r\n{tag} OK done\r\n* 2 EXISTS\r\n")
    leave_idle(idle)
    assert idle.news


def test_silence_after_done_does_not_hold_anybody(server, idle):
    server.on("DONE", stall)
    idle.end_idle()
    server.wait_for("DONE")
    assert not idle.idle_ended()


def test_a_look_right_behind_done(server, idle):
    """It is sent before DONE is answered; its answer comes after that, and news among it is no less."""
    uid = server.deliver(b"x")
    assert heard(idle)
    server.on("DONE", b"* 2 EXISTS\r\n{tag} OK done\r\n")
    idle.end_idle()
    assert idle.leaving
    idle.clear_news()
    assert idle.search(1) == [uid]
    assert not idle.leaving
    assert idle.news
    idle.end_idle()
    assert server.count("DONE") == 1
    idle.start_idle()
    leave_idle(idle)
    assert idle.search(1) == [uid]


@pytest.mark.parametrize(
    "answer", [b"{tag} NO [UNAVAILABLE] later\r\n", b"{tag} BAD what?\r\n", b"", reset, b"* BYE\r\n"]
)
def test_a_server_that_does_not_leave_idle_for_a_look_behind_done(server, dial, answer):
    link = dial(timeout=1)
    link.examine("INBOX")
    link.start_idle()
    server.on("DONE", answer)
    link.end_idle()
    with pytest.raises(MailboxLost):
        link.search(1)
    with pytest.raises(MailboxLost):
        link.search(1)


def test_reset_after_done(server, idle):
    server.on("DONE", reset)
    idle.end_idle()
    with pytest.raises(MailboxLost):
        leave_idle(idle)


def test_other_lines_than_exists_are_told_apart_from_life(server, idle):
    """A line with the same number as before: the server says nothing new."""
    server.push(b"* 0 EXISTS\r\n")
    assert heard(idle)


@pytest.mark.parametrize("answer", [b"{tag} NO not here\r\n", b"{tag} BAD what?\r\n", b"* 1 EXISTS\r\n{tag} OK no\r\n"])
def test_refused(server, link, answer):
    server.on("IDLE", answer)
    with pytest.raises(IdleRefused, match="IDLE is refused"):
        link.start_idle()
    assert not link.can_idle
    link.noop()
    link.start_idle()  # the link is as good as before


def test_no_answer_to_idle(server, dial):
    link = dial(timeout=0.5)
    link.examine("INBOX")
    server.on("IDLE", stall)
    with pytest.raises(MailboxLost, match="no answer in time"):
        link.start_idle()


def test_idle_again_and_again(server, link):
    for _ in range(20):
        link.start_idle()
        server.deliver(b"x")
        assert heard(link)
        leave_idle(link)
        link.clear_news()
    assert link.search(1) == list(range(1, 21))
    assert link._wire.untagged_responses == {}


def test_a_command_within_idle_is_a_bug(idle):
    with pytest.raises(RuntimeError, match="within IDLE"):
        idle.noop()


def test_a_link_that_only_polls_hears_its_end(server, link):
    assert not link.hear()
    server.push(b"* 1 EXISTS\r\n")
    assert heard(link)
    server.cut()
    with pytest.raises(MailboxLost):
        heard(link)


def test_can_idle(server, dial):
    server.capabilities = "IMAP4rev1 AUTH=PLAIN"
    assert not dial().can_idle
