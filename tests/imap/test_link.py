"""The verbs, and what servers do to them."""

import datetime as dt

import pytest

from tests.fakes.imap_server import then_honest
from watcher.errors import FolderRefused, MailboxLost
from watcher.imap.link import Head, Mailbox, Summary

RAW = b"Message-ID: <a@b>\r\nSubject: hello\r\n\r\nworld\r\n"
WHEN = dt.datetime(2026, 11, 21, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-8)))


# --- opening ---


def test_opening_tells_the_folder(server, link):
    server.deliver(RAW)
    assert link.examine("INBOX") == Mailbox(uidvalidity=7, uidnext=2, exists=1)
    assert link.folder == "INBOX"
    assert not link.news


def test_a_server_that_tells_little(server, link):
    server.hide_uidnext = server.hide_uidvalidity = True
    assert link.examine("INBOX") == Mailbox(uidvalidity=0, uidnext=None, exists=0)


def test_words_with_brackets(server, link):
    server.on(
        "EXAMINE", b"* 1 EXISTS\r\n* OK [UIDVALIDITY 5] [x]\r\n* OK [UIDNEXT 6] a ]\r\n{tag} OK [READ-ONLY] [ok]\r\n"
    )
    assert link.examine("INBOX") == Mailbox(uidvalidity=5, uidnext=6, exists=1)


def test_a_folder_that_is_not_there(server, link):
    with pytest.raises(FolderRefused, match=r"Nowhere: .*no such folder"):
        link.examine("Nowhere")
    assert link.folder is None
    link.examine("INBOX")  # the link is as good as before


@pytest.mark.parametrize(
    "answer", [b"NO [UNAVAILABLE] x", b"NO [INUSE] x", b"BAD User is authenticated but not connected."]
)
def test_a_folder_that_may_open_later(server, link, answer):
    server.on("EXAMINE", b"{tag} " + answer + b"\r\n")
    with pytest.raises(MailboxLost):
        link.examine("INBOX")


def test_select_wants_to_write(server, link):
    server.on("SELECT", b"* 0 EXISTS\r\n{tag} OK [READ-ONLY] only looking\r\n")
    with pytest.raises(FolderRefused, match="for reading only"):
        link.select("INBOX")
    link.select("INBOX")


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("Done", b'"Done"'),
        ("Entwürfe", b'"Entw&APw-rfe"'),
        ('a"b\\c', rb'"a\"b\\c"'),
        ("R&D", b'"R&-D"'),
        ("日本", b'"&ZeVnLA-"'),
        ("日\u3000本", b'"&ZeUwAGcs-"'),
    ],
)
def test_folder_names_go_in_utf7(server, link, name, wire):
    with pytest.raises(FolderRefused):
        link.examine(name)
    assert server.lines[-1].endswith(b" EXAMINE " + wire + b"\r\n")


def test_the_folder_is_made_anew_under_our_feet(server, link):
    server.on("NOOP", b"* OK [UIDVALIDITY 8] new\r\n{tag} OK done\r\n")
    with pytest.raises(MailboxLost, match="made anew"):
        link.noop()


def test_opening_again_takes_what_is_there_now(server, link):
    server.inbox.uidvalidity = 8
    assert link.examine("INBOX").uidvalidity == 8


# --- searching ---


def test_search_by_span(server, link):
    for uid in (3, 5, 9):
        server.deliver(RAW, uid=uid)
    assert link.search(1) == [3, 5, 9]
    assert link.search(5, 8) == [5]
    assert link.search(10) == []  # though 10:* is 9:10
    assert link.search(6, 5) == []
    assert server.lines[-1].endswith(b" UID SEARCH UID 10:*\r\n")


def test_search_by_day(server, link):
    server.deliver(RAW, received=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    new = server.deliver(RAW, received=dt.datetime(2026, 2, 2, tzinfo=dt.UTC))
    assert link.search_since(dt.date(2026, 2, 2)) == [new]
    assert server.lines[-1].endswith(b" UID SEARCH SINCE 02-Feb-2026\r\n")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"* SEARCH 2\r\n* SEARCH 5 2\r\n", [2, 5]),
        (b"* SEARCH\r\n", []),
        (b"* SEARCH 5 2 \r\n", [2, 5]),
        (b'* ESEARCH (TAG "x") UID ALL 2,5\r\n', [2, 5]),
        (b"", []),
    ],
)
def test_answers_to_search(server, link, answer, expected):
    server.on("UID SEARCH", answer + b"{tag} OK [EXPUNGEISSUED] done\r\n")
    assert link.search(1) == expected


@pytest.mark.parametrize("answer", [b"* ESEARCH ALL 2\r\n", b"* SEARCH two\r\n"])
def test_answers_to_search_that_make_no_sense(server, link, answer):
    server.on("UID SEARCH", answer + b"{tag} OK done\r\n")
    with pytest.raises(MailboxLost, match="makes no sense"):
        link.search(1)


def test_a_search_answer_of_a_megabyte(server, link):
    """imaplib alone gives up at a million bytes."""
    server.on(
        "UID SEARCH",
        b"* SEARCH " + b" ".join(b"%d" % uid for uid in range(1_000_000, 1_300_000)) + b"\r\n{tag} OK x\r\n",
    )
    assert len(link.search(1)) == 300_000


@pytest.mark.parametrize("uid", [0, -1, 1 << 32])
def test_what_is_no_uid_is_a_bug(link, uid):
    for ask in (lambda: link.search(uid), lambda: link.heads([uid], 1), lambda: link.slice(uid, 0, 1)):
        with pytest.raises(ValueError, match="no UIDs"):
            ask()


# --- news ---


@pytest.mark.parametrize("command", ["UID SEARCH", "UID FETCH", "NOOP"])
@pytest.mark.parametrize("line", [b"* 2 EXISTS\r\n", b"* 1 EXPUNGE\r\n"])
def test_news_in_any_answer_is_kept(server, link, command, line):
    server.on(command, then_honest(line))
    {"UID SEARCH": lambda: link.search(1), "UID FETCH": lambda: link.heads([1], 1), "NOOP": link.noop}[command]()
    assert link.news
    link.clear_news()
    link.noop()
    assert not link.news


def test_news_that_comes_with_the_search_for_it(server, link):
    """EXISTS during SEARCH: the mail may not be in its answer."""
    link.clear_news()
    server.on("UID SEARCH", b"* SEARCH\r\n* 1 EXISTS\r\n{tag} OK done\r\n")
    assert link.search(1) == []
    assert link.news


# --- fetching ---


def test_summaries(server, link):
    server.deliver(RAW, received=WHEN)
    server.deliver(b"Subject: none\r\n\r\n", received=WHEN)
    assert link.summaries([1, 2, 3]) == [
        Summary(1, len(RAW), WHEN.astimezone(dt.UTC), "<a@b>"),
        Summary(2, 17, WHEN.astimezone(dt.UTC), ""),
    ]


def test_heads_are_one_question_with_the_uids_spelled_out(server, link):
    for _ in range(3):
        server.deliver(RAW, received=WHEN)
    server.omit = {2}
    assert link.heads([1, 2, 3], 10) == [Head(uid, WHEN, len(RAW), RAW[:10]) for uid in (1, 3)]
    assert server.lines[-1].endswith(b" UID FETCH 1,2,3 (UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.10>)\r\n")


def test_slices(server, link):
    uid = server.deliver(bytes(range(256)) * 40)
    got = b""
    while piece := link.slice(uid, len(got), 1000):
        got += piece
    assert piece == b""
    assert got == bytes(range(256)) * 40 == link.whole(uid)
    assert link.slice(uid + 1, 0, 10) is None
    assert link.whole(uid + 1) is None


def test_a_literal_full_of_traps(server, link):
    raw = b"* 99 EXISTS\r\nW9 OK gotcha\r\n* BYE\r\n)\r\n{100}\r\n* OK [UIDVALIDITY 1] x\r\n"
    uid = server.deliver(raw)
    assert link.whole(uid) == raw
    link.clear_news()
    assert [head.data for head in link.heads([uid], 1000)] == [raw]
    assert not link.news


def test_a_fetch_answer_split_at_every_byte(server, link):
    uid = server.deliver(RAW, received=WHEN)
    answer = (
        b'* 1 FETCH (UID 1 RFC822.SIZE %d INTERNALDATE "22-Nov-2026 07:30:00 +0000" BODY[]<0> {%d}\r\n%s)\r\n'
        b"* 2 EXISTS\r\nW OK done\r\n" % (len(RAW), len(RAW), RAW)
    )

    def halves(at):
        async def send(session, command):
            data = answer.replace(b"W OK", command.tag.encode() + b" OK")
            session.send(data[:at])
            await session.flush()
            session.send(data[at:])

        return send

    for at in range(1, len(answer)):
        server.on("UID FETCH", halves(at))
        assert link.heads([uid], 1000) == [Head(uid, WHEN, len(RAW), RAW)]
        assert link.news


def test_whole_has_a_limit(server, link):
    uid = server.deliver(b"x" * (9 << 20))
    with pytest.raises(MailboxLost, match="nobody asked for"):
        link.whole(uid, limit=1000)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"* 1 FETCH (UID 1 RFC822.SIZE 3)\r\n* 1 FETCH (UID 1 BODY[]<0> {3}\r\nabc)\r\n", [Head(1, None, 3, b"abc")]),
        (
            b"* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 1 RFC822.SIZE 3 BODY[]<0> abc)\r\n",
            [Head(1, None, 3, b"abc")],
        ),
        (b"* 1 FETCH (UID 1 X {2}\r\nab RFC822.SIZE 3 BODY[]<0> {3}\r\nabc)\r\n", [Head(1, None, 3, b"abc")]),
        (b"* 1 FETCH (RFC822.SIZE 3 BODY[]<0> abc)\r\n", []),
        (b"* 1 FETCH (UID 9 RFC822.SIZE 3 BODY[]<0> abc)\r\n", []),
        (b"* 1 EXPUNGE\r\n* 1 FETCH (UID 1 RFC822.SIZE 3 BODY[]<0> abc)\r\n", [Head(1, None, 3, b"abc")]),
        (b'* 1 FETCH (UID 1 RFC822.SIZE 3 INTERNALDATE NIL BODY[]<0> "")\r\n', [Head(1, None, 3, None)]),
        (b"", []),
    ],
)
def test_answers_to_fetch(server, link, lines, expected):
    server.on("UID FETCH", lines + b"{tag} OK done\r\n")
    assert link.heads([1], 10) == expected


def test_no_to_a_fetch_tells_what_it_tells(server, link):
    """RFC 2180 4.1.2: some are gone, the others are there."""
    server.on("UID FETCH", b"* 1 FETCH (UID 1 RFC822.SIZE 3 BODY[]<0> abc)\r\n{tag} NO some are gone\r\n")
    assert link.heads([1, 2], 10) == [Head(1, None, 3, b"abc")]
    server.on("UID FETCH", b"{tag} NO gone\r\n")
    assert link.heads([1, 2], 10) == []
    server.on("UID FETCH", b"{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits\r\n")
    with pytest.raises(MailboxLost, match="bandwidth"):
        link.heads([1], 10)


def test_nothing_is_changed_by_reading(server, link):
    uid = server.deliver(RAW)
    link.select("INBOX")
    link.heads([uid], 10), link.slice(uid, 0, 10), link.whole(uid), link.summaries([uid])
    assert server.inbox.mail(uid).flags == set()


# --- leaving ---


def test_logout_is_polite(server, link):
    link.logout()
    link.logout()
    assert link.fileno() == -1
    server.wait_for("LOGOUT")


def test_logout_out_of_idle(server, link):
    link.start_idle()
    link.logout()
    server.wait_for("LOGOUT")
    assert server.commands[-2:] == ["DONE", "LOGOUT"]


@pytest.mark.parametrize("idle", [True, False])
@pytest.mark.parametrize("rst", [True, False])
def test_leaving_never_raises(server, link, idle, rst):
    if idle:
        link.start_idle()
    server.cut(rst=rst)
    link.logout()
    link.close()
    with pytest.raises(MailboxLost):
        link.noop()
