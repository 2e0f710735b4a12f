import pytest

from watcher.imap.signals import Reply, reply


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
