import pytest

from watcher.imap.signals import Reply, passing, printable, reply


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"A1 OK done\r\n", Reply("OK", "", "done")),
        (b"A1 NO [AUTHENTICATIONFAILED] wrong\r\n", Reply("NO", "AUTHENTICATIONFAILED", "wrong")),
        (b"A1 no [alert] Too many\r\n", Reply("NO", "ALERT", "Too many")),
        (b"* BYE\r\n", Reply("BYE", "", "")),
        (b"* BYE [UNAVAILABLE] down (see us]\r\n", Reply("BYE", "UNAVAILABLE", "down (see us]")),
        (b"A1 NO [BADCHARSET (UTF-8 US-ASCII)] x\r\n", Reply("NO", "BADCHARSET", "x")),
        (b"A1 BAD [ unclosed\r\n", Reply("BAD", "", "[ unclosed")),
        (b"A1 OK \xff\x1b[2J\r\n", Reply("OK", "", "\\xff\\x1b[2J")),
        (b"* 3 EXISTS\r\n", None),
        (b"A1 OKAY\r\n", None),
        (b"Server Unavailable.\r\n", None),
    ],
)
def test_a_status_line_is_taken_apart(line, expected):
    assert reply(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"A NO [UNAVAILABLE] x", True),
        (b"A NO [INUSE] x", True),
        (b"A NO [LIMIT] x", True),
        (b"A NO [SERVERBUG] x", True),
        (b"A NO [OVERQUOTA] Account exceeded command or bandwidth limits", True),
        (b"A NO [ALERT] Too many simultaneous connections. (Failure)", True),
        (b"A BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", True),
        (b"A BAD User is authenticated but not connected.", True),
        (b"A NO [AUTHENTICATIONFAILED] wrong", False),
        (b"A NO [ALERT] Application-specific password required", False),
        (b"A NO Login fail. password is incorrect, login frequency limited, or system is busy.", False),
        (b"A NO Too many bad auth attempts", False),
        (b"A NO [EXPIRED] x", False),
    ],
)
def test_what_may_pass_by_itself(line, expected):
    told = reply(line)
    assert told is not None
    assert passing(told) is expected


def test_words_of_a_stranger_stay_on_one_line_and_short():
    assert printable("a\r\nb\u202e\x1b[0m") == "a\\r\\nb\\u202e\\x1b[0m"
    assert printable(b"\xff\xfe") == "\\xff\\xfe"
    assert printable("日本") == "日本"
    assert len(printable("\x1b" * 1000)) == 200
