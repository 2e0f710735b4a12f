import base64
from dataclasses import replace

import pytest

from tests.fakes.imap_server import eof
from tests.imap.conftest import ME, endpoint
from watcher.config.providers import profile_for
from watcher.config.secret import Secret
from watcher.errors import LoginRefused, MailboxLost
from watcher.imap.link import Credential, Proof, connect


def log_in(server, user="me", secret="secret"):
    connect(endpoint(server), Credential(user, Secret(secret))).close()


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


WAYS = [
    ("SCRAM-SHA-256", Proof.PASSWORD, "secret"),
    ("PLAIN", Proof.PASSWORD, "secret"),
    ("OAUTHBEARER", Proof.TOKEN, "token"),
    ("XOAUTH2", Proof.TOKEN, "token"),
]


@pytest.mark.parametrize(("way", "proof", "secret"), WAYS)
def test_each_mechanism_goes_over_the_wire(server, way, proof, secret):
    server.capabilities = f"IMAP4rev1 AUTH={way} IDLE"
    link = connect(endpoint(server), Credential("me", Secret(secret), proof))
    link.examine("INBOX")
    link.close()
    assert (link.mechanism, server.logins) == (way, 1)
    with pytest.raises(LoginRefused) as refused:
        connect(endpoint(server), Credential("me", Secret("another"), proof))
    assert refused.value.cause == ("token" if proof is Proof.TOKEN else "credentials")
    assert server.logins == 2


def test_a_refused_token_is_told_with_the_words_of_the_server(server):
    server.capabilities = "IMAP4rev1 AUTH=XOAUTH2"
    with pytest.raises(LoginRefused, match='"status":"401"'):
        connect(endpoint(server), Credential("me", Secret("stale"), Proof.TOKEN))


SCRAM = "IMAP4rev1 AUTH=SCRAM-SHA-256 AUTH=PLAIN"


def test_plain_is_tried_once_where_scram_is_offered_and_refused(server):
    """The password of this user may be stored in a way that SCRAM can't use; servers offer it all the same."""
    server.capabilities, server.scram_users = SCRAM, {}
    link = connect(endpoint(server), ME)
    link.close()
    assert (link.mechanism, server.logins) == ("PLAIN", 2)
    with pytest.raises(LoginRefused):
        log_in(server, secret="another")
    assert server.logins == 4


def test_what_is_known_to_do_is_tried_alone(server):
    server.capabilities, server.scram_users = SCRAM, {}
    connect(endpoint(server), replace(ME, way="PLAIN")).close()
    assert server.logins == 1
    with pytest.raises(LoginRefused):
        connect(endpoint(server), replace(ME, way="SCRAM-SHA-256"))
    assert server.logins == 2


@pytest.mark.parametrize("answer", [b"NO [ALERT] Application-specific password required", b"NO [UNAVAILABLE] x"])
def test_plain_is_not_tried_where_the_password_is_not_the_matter(server, answer):
    server.capabilities = SCRAM
    server.on("AUTHENTICATE", b"{tag} " + answer + b"\r\n")
    with pytest.raises((LoginRefused, MailboxLost)):
        log_in(server)
    assert (server.count("AUTHENTICATE"), server.logins) == (1, 0)


def test_a_password_is_not_shown_to_a_provider_that_takes_none(server):
    with pytest.raises(LoginRefused, match="sign in with Microsoft") as refused:
        connect(endpoint(server), ME, profile_for("me@outlook.com"))
    assert refused.value.cause == "oauth"
    assert not any(b"AUTHENTICATE" in line or b"LOGIN" in line for line in server.lines)


@pytest.mark.parametrize("proof", [Proof.TOKEN, Proof.CERTIFICATE])
def test_where_the_server_offers_nothing_for_it_that_is_said(server, proof):
    with pytest.raises(LoginRefused, match="no AUTH=") as refused:
        connect(endpoint(server), Credential("me", Secret("x"), proof))
    assert refused.value.cause == "settings"


def test_the_cure_and_the_wait_are_told(server):
    server.on(
        "AUTHENTICATE", b"{tag} NO Login fail. Account is abnormal, login frequency limited, or system is busy.\r\n"
    )
    with pytest.raises(LoginRefused, match="authorization code") as refused:
        connect(endpoint(server), ME, profile_for("me@qq.com"))
    assert (refused.value.cause, refused.value.wait) == ("credentials", 600.0)


def test_a_wrong_password_told_by_bye_is_no_reason_to_try_again(server):
    server.on("AUTHENTICATE", b"* BYE [AUTHENTICATIONFAILED] go away\r\n")
    with pytest.raises(LoginRefused, match="go away"):
        log_in(server)


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
    (b"NO [UNAVAILABLE] x", MailboxLost, "UNAVAILABLE"),
    (b"NO [LIMIT] x", MailboxLost, "LIMIT"),
    (b"NO [INUSE] x", MailboxLost, "INUSE"),
    (b"NO [SERVERBUG] x", MailboxLost, "SERVERBUG"),
    (b"NO [ALERT] Too many simultaneous connections. (Failure)", MailboxLost, "ALERT"),
    (b"BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", MailboxLost, ""),
]


@pytest.mark.parametrize("command", ["AUTHENTICATE", "LOGIN"])
@pytest.mark.parametrize(("answer", "kind", "code"), REFUSALS)
def test_what_a_refusal_means(server, command, answer, kind, code):
    server.capabilities = "IMAP4rev1 AUTH=PLAIN" if command == "AUTHENTICATE" else "IMAP4rev1"
    server.on(command, b"{tag} " + answer + b"\r\n")
    with pytest.raises(kind) as refused:
        log_in(server)
    assert answer.split(b"] ")[-1].removeprefix(b"NO ").removeprefix(b"BAD ").rstrip(b".").decode() in str(
        refused.value
    )
    assert "secret" not in str(refused.value)
    assert refused.value.code == code


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


def test_what_the_greeting_tells_is_not_asked_for(server):
    server.greeting = b"* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN] welcome\r\n"
    connect(endpoint(server), ME).close()
    assert server.commands[0] == "AUTHENTICATE"


def test_a_greeting_that_tells_nothing_is_asked(server):
    connect(endpoint(server), ME).close()
    assert server.commands[0] == "CAPABILITY"
