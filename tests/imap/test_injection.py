"""One call is one line, whatever is in its arguments: imapclient sends line breaks as they are (its issue 657)."""

import contextlib
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.imap.conftest import endpoint
from watcher.config.secret import Secret
from watcher.errors import WatcherError
from watcher.imap.link import Credential, connect

text = st.text(max_size=30) | st.text(alphabet='ab"\\\r\n\0{}()*%&+ ü', max_size=12)
number = st.integers(-2, 1 << 33) | st.booleans()
numbers = st.lists(number, max_size=4)
junk = text | number | st.none() | st.binary(max_size=5) | st.lists(text, max_size=2)

CALLS = st.one_of(
    *(
        st.tuples(st.just(verb), *arguments)
        for verb, *arguments in [
            ("examine", text),
            ("select", text),
            ("create", text),
            ("search", number),
            ("search", number, number),
            ("present", numbers),
            ("summaries", numbers),
            ("heads", numbers, number),
            ("slice", number, number, number),
            ("whole", number, number),
            ("seen", numbers),
            ("flag", numbers, text),
            ("move", numbers, text),
            ("delete", numbers),
            ("examine", junk),
            ("flag", junk, junk),
            ("search", junk, junk),
            ("heads", junk, junk),
            ("slice", junk, junk, junk),
            ("move", junk, junk),
        ]
    )
)
LINE = re.compile(rb"W\d+ (UID )?[A-Z]+( [\x20-\x7e]*)?\r\n")


@pytest.mark.parametrize("able", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE LITERAL+"])
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(CALLS, max_size=8))
@example(calls=[("flag", [1], "\\Seen)\r\nW99 DELETE INBOX")])
@example(calls=[("move", [1], 'x"\r\nW99 DELETE INBOX')])
@example(calls=[("search", "1\r\nW99 DELETE INBOX")])
def test_one_command_is_one_line(server, dial, able, calls):
    server.capabilities = able
    server.inbox.uidvalidity = 7
    link = dial()
    link.select("INBOX")
    del server.lines[:]
    before = link._wire.tagnum
    for verb, *arguments in calls:
        with contextlib.suppress(WatcherError, TypeError, ValueError, AttributeError):
            getattr(link, verb)(*arguments)
    link.logout()
    server.wait_for(lambda: server.lines and (b" LOGOUT" in server.lines[-1] or not server.sessions))
    for line in server.lines:
        assert LINE.fullmatch(line), line
    assert len(server.lines) == link._wire.tagnum - before


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=text, secret=text)
@example(user="me", secret='x"\r\nA LOGOUT')
def test_a_login_is_one_line(server, user, secret):
    server.capabilities = "IMAP4rev1"
    server.users = {user: secret}
    del server.lines[:]
    logins = server.logins
    try:
        connect(endpoint(server), Credential(user, Secret(secret))).close()
    except WatcherError:
        assert server.logins == logins  # it was not sent at all, or arrived as it is
        assert len(server.lines) <= 1
    else:
        assert [line.split(b" ")[1].strip() for line in server.lines] == [b"CAPABILITY", b"LOGIN"]


@pytest.mark.parametrize("data", [b"W1 NOOP\r\nW2 LOGOUT\r\n", b"a\n", b"a\r", b"a\0b\r\n", b"\r\n\r\n"])
def test_the_last_door_is_shut_too(server, link, data):
    """What would slip through the checks of every verb."""
    with pytest.raises(ValueError, match="line break"):
        link._wire.send(data)
