import base64

import pytest

from tests.fakes.imap_server import eof
from tests.imap.conftest import endpoint
from watcher.errors import LoginRefused, MailboxLost
from watcher.imap.link import connect


def log_in(server, user="me", secret="secret"):
    connect(endpoint(server), user, secret).close()


def test_plain_is_preferred(server):
    server.capabilities = "IMAP4rev1 AUTH=LOGIN AUTH=PLAIN IDLE"
    log_in(server)
    assert (server.count("AUTHENTICATE"), server.count("LOGIN"), server.logins) == (1, 0, 1)


def test_login_where_there_is_no_plain(server):
    server.capabilities = "IMAP4rev1 IDLE"
    log_in(server)
    assert (server.count("AUTHENTICATE"), server.count("LOGIN"), server.logins) == (0, 1, 1)


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1"])
@pytest.mark.parametrize(("user", "secret"), [('o"hara\\x', 'p"w\\ d{5}'), ("a b", "(%*)"), ("me@example.com", " ")])
def test_user_and_password_arrive_as_they_are(server, capabilities, user, secret):
    server.capabilities = capabilities
    server.users = {user: secret}
    log_in(server, user, secret)


def test_beyond_ascii_only_plain_will_do(server):
    server.users = {"jürgen": "пароль密码"}
    log_in(server, "jürgen", "пароль密码")
    server.capabilities = "IMAP4rev1"
    with pytest.raises(LoginRefused, match="only ASCII"):
        log_in(server, "jürgen", "пароль密码")


def test_no_password_where_the_server_wants_none(server):
    server.capabilities = "IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2"
    with pytest.raises(LoginRefused, match="LOGINDISABLED"):
        log_in(server)
    assert server.logins == 0


@pytest.mark.parametrize(
    ("user", "secret"), [("me", "secret\n"), ("me\r\nA LOGOUT", "x"), ("m\0e", "x"), ("me", "a\0b")]
)
def test_line_breaks_are_not_sent(server, user, secret):
    with pytest.raises(LoginRefused, match="line break or NUL"):
        log_in(server, user, secret)
    assert server.logins == 0


REFUSALS = [
    (b"NO [AUTHENTICATIONFAILED] wrong password", LoginRefused, "AUTHENTICATIONFAILED"),
    (b"NO [AUTHORIZATIONFAILED] x", LoginRefused, "AUTHORIZATIONFAILED"),
    (b"NO [EXPIRED] x", LoginRefused, "EXPIRED"),
    (b"NO [CONTACTADMIN] x", LoginRefused, "CONTACTADMIN"),
    (b"NO [ALERT] Application-specific password required", LoginRefused, "ALERT"),
    (b"NO Login fail. Account is abnormal, password is incorrect, or system is busy.", LoginRefused, ""),
    (b"BAD invalid user", LoginRefused, ""),
    (b"NO [UNAVAILABLE] x", MailboxLost, None),
    (b"NO [LIMIT] x", MailboxLost, None),
    (b"NO [INUSE] x", MailboxLost, None),
    (b"NO [SERVERBUG] x", MailboxLost, None),
    (b"NO [ALERT] Too many simultaneous connections. (Failure)", MailboxLost, None),
    (b"BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", MailboxLost, None),
]


@pytest.mark.parametrize("command", ["AUTHENTICATE", "LOGIN"])
@pytest.mark.parametrize(("answer", "kind", "code"), REFUSALS)
def test_what_a_refusal_means(server, command, answer, kind, code):
    server.capabilities = "IMAP4rev1 AUTH=PLAIN" if command == "AUTHENTICATE" else "IMAP4rev1"
    server.on(command, b"{tag} " + answer + b"\r\n")
    with pytest.raises(kind) as refused:
        log_in(server)
    assert answer.split(b"] ")[-1].removeprefix(b"NO ").removeprefix(b"BAD ").decode() in str(refused.value)
    assert "secret" not in str(refused.value)
    assert getattr(refused.value, "code", None) == code


@pytest.mark.parametrize("command", ["AUTHENTICATE", "LOGIN"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"* BYE [UNAVAILABLE] shutting (down\r\n", r"shutting \(down"),
        (eof, "closed the connection"),
        (b"* BYE\r\n", "BYE"),
    ],
)
def test_the_end_during_login_is_no_refusal(server, command, answer, words):
    server.capabilities = "IMAP4rev1 AUTH=PLAIN" if command == "AUTHENTICATE" else "IMAP4rev1"
    server.on(command, answer)
    with pytest.raises(MailboxLost, match=words):
        log_in(server)


def test_login_ok_and_then_bye(server):
    """Dovecot: "Logged in, but initialization failed"."""
    server.on("AUTHENTICATE", b"{tag} OK Logged in, but initialization failed.\r\n* BYE Internal error\r\n")
    with pytest.raises(MailboxLost, match="Internal error"):
        log_in(server)


def test_it_introduces_itself_before_opening_a_folder(server, dial):
    """NetEase: "SELECT Unsafe Login" for who does not."""
    dial().examine("INBOX")
    assert server.commands.index("ID") < server.commands.index("EXAMINE")


@pytest.mark.parametrize("answer", [b"{tag} NO who cares\r\n", b"{tag} BAD what?\r\n", b'* ID ("\r\n{tag} OK x\r\n'])
def test_a_server_that_does_not_like_the_introduction_is_fine(server, dial, answer):
    server.on("ID", answer)
    assert dial().examine("INBOX").exists == 0


@pytest.mark.parametrize(
    ("answer", "asked"), [(b"{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n", 1), (b"{tag} OK in\r\n", 2)]
)
def test_what_the_server_can_do_after_login_counts(server, dial, answer, asked):
    server.capabilities = lambda _session: (
        "IMAP4rev1 AUTH=PLAIN" if server.count("CAPABILITY") == 1 else "IMAP4rev1 IDLE"
    )
    server.on("AUTHENTICATE", answer)
    link = dial()
    assert link.capabilities == {"IMAP4REV1", "IDLE"}
    assert link.can_idle
    assert server.count("CAPABILITY") == asked


def test_links_share_what_the_server_can_do(dial):
    assert dial().capabilities is dial().capabilities


def test_the_secret_is_nowhere_in_the_link(dial):
    link = dial()
    kept = repr(vars(link._wire)) + repr(vars(link._client)) + repr(link)
    assert "secret" not in kept
    assert base64.b64encode(b"\0me\0secret").decode() not in kept
