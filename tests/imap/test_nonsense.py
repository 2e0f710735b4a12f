"""Whatever a server sends, what comes out is an answer or an error of ours, in time."""

import contextlib
import datetime as dt

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.imap.conftest import ME, endpoint
from watcher.errors import WatcherError
from watcher.imap.link import connect

WORDS = r"""* |+ |+|{tag} |OK |NO |BAD |BYE |PREAUTH |[|] |(|)|"|\\|\r\n|\n|\r|\0| |1 |99999999999999999999 |
-1 |{3}\r\n|{0}\r\n|{x}|{3}|SEARCH |ESEARCH |FETCH |EXISTS|EXPUNGE|RECENT|CAPABILITY |IMAP4rev1 |
UID |NIL |UIDVALIDITY |UIDNEXT |READ-ONLY|BODY[]<0> |BODY[] |RFC822.SIZE |INTERNALDATE |ALERT|
"17-Jul-1996 02:44:25 -0700"|"99-Foo-0000 99:99:99 +9999"|TAG |ALL 1:9 |idle1 |VANISHED 1"""

word = st.sampled_from([w.encode().decode("unicode_escape").encode() for w in WORDS.replace("|\n", "|").split("|")])
line = st.lists(word | st.binary(max_size=6), max_size=8).map(b"".join)
lines = st.lists(st.tuples(st.sampled_from([b"* ", b"* ", b""]), line).map(b"".join), max_size=4).map(b"\r\n".join)
endings = st.sampled_from(
    [b"\r\n{tag} OK done\r\n", b"\r\n{tag} NO [X] no\r\n", b"\r\n+ \r\n{tag} OK done\r\n", b"\r\n* BYE\r\n"]
)

VERBS = {
    "EXAMINE": lambda link: link.examine("INBOX"),
    "SELECT": lambda link: link.select("INBOX"),
    "UID SEARCH": lambda link: (link.search(1), link.search_since(dt.date(2026, 1, 1))),
    "UID FETCH": lambda link: (link.heads([1], 9), link.summaries([1]), link.slice(1, 0, 9), link.whole(1)),
    "UID STORE": lambda link: link.seen([1]),
    "UID MOVE": lambda link: link.move([1], "Done"),
    "UID EXPUNGE": lambda link: link.delete([1]),
    "CREATE": lambda link: link.create("Done"),
    "NOOP": lambda link: link.noop(),
    "IDLE": lambda link: (link.start_idle(), link.hear(), link.end_idle(), link.idle_ended()),
    "LOGOUT": lambda link: link.logout(),
}


@pytest.mark.parametrize("command", VERBS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=lines, ending=endings)
@example(answer=b"* SEARCH {3}\r\n1 2", ending=b"\r\n{tag} OK done\r\n")
@example(answer=b"* 1 FETCH " + b"(" * 5000, ending=b"\r\n{tag} OK done\r\n")
@example(answer=b"* BYE {3}\r\nabc", ending=b"\r\n{tag} OK done\r\n")
def test_in_answer_to_a_command(server, command, answer, ending):
    server.script.clear()
    link = connect(endpoint(server), ME)
    link._timeout = 0.2  # an answer that never ends is one of the cases
    server.on(command, answer + ending, times=None)
    with contextlib.closing(link), contextlib.suppress(WatcherError):
        link.select("INBOX")
        VERBS[command](link)
        link.noop()


@pytest.mark.parametrize("command", ["CONNECT", "CAPABILITY", "AUTHENTICATE", "ID"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=lines, ending=endings)
@example(answer=b"* CAPABILITY {3}\r\nabc", ending=b"\r\n{tag} OK done\r\n")
@example(answer=b"", ending=b"\r\n{tag} OK [CAPABILITY] done\r\n")
def test_while_connecting(server, command, answer, ending):
    server.script.clear()
    server.on(command, answer + ending)
    with contextlib.suppress(WatcherError):
        connect(endpoint(server), ME, timeout=0.2).close()
