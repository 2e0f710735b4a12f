import pytest

from watcher.errors import MailboxLost
from watcher.imap.tidings import ALERTS, Tidings


def opened(exists: int = 3, uidvalidity: int = 7) -> Tidings:
    tidings = Tidings()
    tidings.take(b"* %d EXISTS\r\n" % exists)
    tidings.take(b"* OK [UIDVALIDITY %d] x\r\n" % uidvalidity)
    tidings.clear()
    return tidings


@pytest.mark.parametrize(
    ("lines", "news"),
    [
        ([b"* 4 EXISTS\r\n"], True),
        ([b"* 3 EXISTS\r\n"], False),
        ([b"* 2 EXISTS\r\n"], True),  # fewer, without EXPUNGE: not allowed, so look
        ([b"* 4 EXISTS\r\n", b"* 3 EXISTS\r\n"], True),
        ([b"* 1 EXPUNGE\r\n"], True),  # a server may leave out EXISTS where as many came as went
        ([b"* 1 EXPUNGE\r\n", b"* 3 EXISTS\r\n"], True),  # one went, one came: the number is the same
        ([b"* VANISHED 405,407\r\n"], True),
        ([b"* 1 FETCH (FLAGS ())\r\n"], False),
        ([b"* 0 RECENT\r\n"], False),
        ([b"* OK Still here\r\n"], False),
        ([b"* OK 4 EXISTS\r\n"], False),
        ([b"A1 OK 4 EXISTS\r\n"], False),
        ([b"+ 4 EXISTS\r\n"], False),
    ],
)
def test_news(lines, news):
    tidings = opened()
    for line in lines:
        tidings.take(line)
    assert tidings.news is news


@pytest.mark.parametrize(
    ("line", "may"),
    [
        (b"* 4 EXISTS\r\n", True),
        (b"* 4 exists\r\n", True),
        (b"* 1 RECENT\r\n", True),
        (b"* 3 EXPUNGE\r\n", True),
        (b"* 3 FETCH (FLAGS (\\Seen))\r\n", False),
        (b"* 4 FETCH (FLAGS ())\r\n", True),
        (b"* vanished 1\r\n", True),
        (b"* OK Still here\r\n", False),
        (b"* FLAGS (\\Seen)\r\n", False),
        (b"* BYE\r\n", False),
        (b"* 4 EXISTSNOT\r\n", False),
    ],
)
def test_which_lines_may_speak_of_mails_that_came(line, may):
    assert opened().take(line) is may


def test_clearing_counts_from_what_is_known_then():
    tidings = opened()
    tidings.take(b"* 5 EXISTS\r\n")
    tidings.clear()
    tidings.take(b"* 5 EXISTS\r\n")
    assert not tidings.news
    tidings.take(b"* 6 EXISTS\r\n")
    assert tidings.news


def test_the_folder_may_not_become_another_one():
    tidings = opened(uidvalidity=7)
    tidings.take(b"* OK [UIDVALIDITY 7] the same\r\n")
    with pytest.raises(MailboxLost, match="7 is 8 now"):
        tidings.take(b"* OK [UIDVALIDITY 8] other\r\n")


def test_the_numbers_of_a_folder_survive_brackets_in_the_words_after_them():
    tidings = Tidings()
    tidings.take(b"* OK [UIDNEXT 12] the next [one]\r\n")
    assert tidings.uidnext == 12


def test_alerts_are_kept_but_those_that_become_errors():
    tidings = Tidings()
    for line in (
        b"* OK [ALERT] one\r\n",
        b"a1 OK [alert] two\r\n",
        b"* NO [ALERT] three\r\n",
        b"a2 NO [ALERT] refused\r\n",
        b"* BYE [ALERT] the end\r\n",
        b"* OK [UNSEEN 3] [ALERT] no code\r\n",
    ):
        tidings.take(line)
    assert tidings.alerts == ("one", "two", "three")


def test_no_flood_of_alerts_is_kept():
    tidings = Tidings()
    for number in range(1000):
        tidings.take(b"* OK [ALERT] %d\r\n" % number)
    assert tidings.alerts == tuple(str(number) for number in range(1000 - ALERTS, 1000))
