"""Mechanisms by the examples of their RFCs, against a SCRAM server, over the wire; the choice by a table."""

import base64
import time

import pytest
import scramp
from scramp import ScramMechanism

from tests.fakes.imap_server import Command, Session
from tests.imap.conftest import endpoint
from watcher.config.providers import profile_for
from watcher.config.secret import Secret
from watcher.errors import ServerUntrusted
from watcher.imap.greeting import greeted
from watcher.imap.sasl import MECHANISMS, Credential, Proof, Scram, exchange, mechanisms


def password(secret="pencil", user="user"):
    return Credential(user, Secret(secret))


def token(user="user@example.com", secret="vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="):
    return Credential(user, Secret(secret), Proof.TOKEN)


# --- one message ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "credential", "message"),
    [
        ("PLAIN", password("tanstaaftanstaaf", "tim"), b"\0tim\0tanstaaftanstaaf"),  # RFC 4616 4
        ("PLAIN", password("пароль密码", "jürgen"), "\0jürgen\0".encode() + "пароль密码".encode()),
        (
            "XOAUTH2",  # the example of Google's page on the protocol
            token("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"),
            base64.b64decode(
                "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk"
                "SFJoZG1semRHRXVZMjl0Q2cBAQ=="
            ),
        ),
        (
            "OAUTHBEARER",  # RFC 7628 4.1 without host and port, which are optional (3.1)
            token(),
            b"n,a=user@example.com,\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
        ),
        ("OAUTHBEARER", token("a=b,c@x", "t"), b"n,a=a=3Db=2Cc@x,\1auth=Bearer t\1\1"),
        ("EXTERNAL", Credential("me@example.com", Secret(""), Proof.CERTIFICATE), b"me@example.com"),
    ],
)
def test_the_first_message(name, credential, message):
    assert exchange(name, credential).answer(b"") == message


@pytest.mark.parametrize(("name", "acknowledgement"), [("XOAUTH2", b""), ("OAUTHBEARER", b"\1")])
def test_a_complaint_about_a_token_is_kept_and_acknowledged(name, acknowledgement):
    login = exchange(name, token())
    login.answer(b"")
    complaint = b'{"status":"invalid_token","schemes":"bearer","scope":"mail"}'
    assert login.complaint == ""
    assert login.answer(complaint) == acknowledgement
    assert login.complaint == complaint.decode()


def test_a_complaint_can_do_no_harm():
    login = exchange("XOAUTH2", token())
    login.answer(b"")
    login.answer(b"\x1b[2J\r\n" + b"x" * 10_000)
    assert login.complaint.isprintable()
    assert len(login.complaint) <= 200


@pytest.mark.parametrize("name", MECHANISMS)
def test_no_mechanism_shows_the_secret(name):
    credential = password("tell-nobody")
    assert "tell-nobody" not in repr(credential)
    assert "tell-nobody" not in repr(exchange(name, credential))


# --- SCRAM ------------------------------------------------------------------------------------------------------------

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def proved():
    login = Scram(password(), nonce=NONCE)
    assert login.answer(b"") == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert login.answer(SERVER_FIRST) == CLIENT_FINAL
    return login


def test_the_example_of_rfc_7677():
    login = proved()
    assert login.answer(SERVER_FINAL) == b""
    login.accepted()
    with pytest.raises(ServerUntrusted, match="goes on"):
        login.answer(b"")


def test_a_server_that_says_yes_without_proof_is_not_trusted():
    with pytest.raises(ServerUntrusted, match="does not show"):
        proved().accepted()


def test_a_server_that_proves_it_wrongly_is_not_trusted():
    with pytest.raises(ServerUntrusted, match="can't be trusted"):
        proved().answer(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")


def test_a_refusal_is_kept_and_is_no_proof():
    login = proved()
    assert login.answer(b"e=invalid-proof") == b""
    assert login.complaint == "invalid-proof"
    with pytest.raises(ServerUntrusted):
        login.accepted()


@pytest.mark.parametrize(
    "challenge",
    [
        b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",  # somebody else's nonce
        SERVER_FIRST.replace(b"i=4096", b"i=1"),  # too weak to protect the password
        SERVER_FIRST.replace(b"i=4096", b"i=2000000"),  # hours of hashing
        SERVER_FIRST.replace(b"i=4096", b"i=" + b"9" * 19),
        SERVER_FIRST.replace(b"i=4096", b"i=x"),
        b"m=must," + SERVER_FIRST,  # an extension that must be understood
        b"\xff",
        b"",
    ],
)
def test_a_first_answer_that_makes_no_sense_ends_it(challenge):
    login = Scram(password(), nonce=NONCE)
    login.answer(b"")
    with pytest.raises(ServerUntrusted):
        login.answer(challenge)


@pytest.mark.parametrize(("user", "secret"), [("user", "pencil"), ("a=b,c", "пароль密码"), ("jürgen", "a b\u00a0c")])
def test_a_server_that_knows_the_password_accepts(user, secret):
    known = ScramMechanism("SCRAM-SHA-256").make_auth_info(secret)
    server = ScramMechanism("SCRAM-SHA-256").make_server({user: known}.__getitem__)
    login = exchange("SCRAM-SHA-256", password(secret, user))
    server.set_client_first(login.answer(b"").decode())
    server.set_client_final(login.answer(server.get_server_first().encode()).decode())
    login.answer(server.get_server_final().encode())
    login.accepted()


def test_a_server_that_knows_another_password_does_not():
    known = ScramMechanism("SCRAM-SHA-256").make_auth_info("other")
    server = ScramMechanism("SCRAM-SHA-256").make_server({"user": known}.__getitem__)
    login = exchange("SCRAM-SHA-256", password())
    server.set_client_first(login.answer(b"").decode())
    with pytest.raises(scramp.ScramException):
        server.set_client_final(login.answer(server.get_server_first().encode()).decode())


def test_nonces_are_new_each_time():
    assert exchange("SCRAM-SHA-256", password()).answer(b"") != exchange("SCRAM-SHA-256", password()).answer(b"")


# --- the choice -------------------------------------------------------------------------------------------------------

ALL = "AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=EXTERNAL IDLE"
CERTIFICATE = Credential("me", Secret(""), Proof.CERTIFICATE)

CHOICES = [
    (ALL, password(), ("SCRAM-SHA-256", "PLAIN", "LOGIN")),
    ("AUTH=PLAIN", password(), ("PLAIN", "LOGIN")),
    ("AUTH=PLAIN LOGINDISABLED", password(), ("PLAIN",)),
    ("AUTH=XOAUTH2 LOGINDISABLED", password(), ()),
    ("IDLE", password(), ("LOGIN",)),
    ("", password(), ("LOGIN",)),
    ("AUTH=SCRAM-SHA-1 AUTH=CRAM-MD5", password(), ("LOGIN",)),
    ("IDLE", password("密码"), ()),
    ("IDLE", password("x", "jürgen"), ()),
    (ALL, password("密码"), ("SCRAM-SHA-256", "PLAIN")),
    (ALL, password("a😀"), ("PLAIN",)),  # newer than what RFC 4013 knows
    (ALL, token(), ("OAUTHBEARER", "XOAUTH2")),
    ("AUTH=XOAUTH2 AUTH=PLAIN", token(), ("XOAUTH2",)),
    ("AUTH=PLAIN", token(), ()),
    (ALL, CERTIFICATE, ("EXTERNAL",)),
    ("AUTH=PLAIN", CERTIFICATE, ()),
]


@pytest.mark.parametrize(("capabilities", "credential", "expected"), CHOICES)
def test_what_the_server_offers_and_the_secret_fits(capabilities, credential, expected):
    assert mechanisms(capabilities.split(), profile_for("a@firm.example"), credential) == expected


def test_no_password_goes_to_a_provider_that_takes_none():
    offered = ["AUTH=PLAIN", "AUTH=XOAUTH2"]
    assert mechanisms(offered, profile_for("a@outlook.com"), password()) == ()
    assert mechanisms(offered, profile_for("a@outlook.com"), token()) == ("XOAUTH2",)
    assert mechanisms(offered, profile_for("a@gmail.com"), password()) == ("PLAIN", "LOGIN")


# --- over the wire ----------------------------------------------------------------------------------------------------


@pytest.fixture
def wire(server):
    made = greeted(endpoint(server), deadline=time.monotonic() + 10)
    made.expect(10)
    yield made
    made.shutdown()


def challenges(server, *said, last=b"OK in"):
    """Lets the server answer AUTHENTICATE with these challenges, and returns what the client says to them."""
    heard = []

    async def own(session: Session, command: Command) -> None:
        for challenge in said:
            session.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
            await session.flush()
            heard.append(base64.b64decode((await session.line()).strip()))
        session.send(command.tag.encode() + b" " + last + b"\r\n")
        await session.flush()

    server.on("AUTHENTICATE", own)
    return heard


def test_scram_over_the_wire(server, wire):
    heard = challenges(server, b"", SERVER_FIRST, SERVER_FINAL)
    login = Scram(password(), nonce=NONCE)
    wire.authenticate("SCRAM-SHA-256", login.answer)
    login.accepted()
    assert heard == [b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", CLIENT_FINAL, b""]


@pytest.mark.parametrize(("name", "acknowledgement"), [("XOAUTH2", b""), ("OAUTHBEARER", b"\1")])
def test_a_refused_token_over_the_wire(server, wire, name, acknowledgement):
    heard = challenges(server, b"", b'{"status":"401"}', last=b"NO [AUTHENTICATIONFAILED] Invalid credentials")
    login = exchange(name, token())
    with pytest.raises(wire.error):
        wire.authenticate(name, login.answer)
    assert login.complaint == '{"status":"401"}'
    assert heard[1:] == [acknowledgement]
    assert wire.tidings.reply.code == "AUTHENTICATIONFAILED"
