"""Whom we trust: nobody whose certificate does not hold, and nobody who meddled before TLS (NO STARTTLS, 2021)."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import os
import socket
import ssl
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.imap_server import ImapServer, authority, bye, eof
from tests.imap.conftest import ME, endpoint
from watcher.errors import Loss, MailboxLost, ServerUntrusted
from watcher.imap import tls
from watcher.imap.link import Endpoint, connect

NOW = dt.datetime.now(dt.UTC)


def served(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed(directory) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + dt.timedelta(days=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (directory / "cert").write_bytes(made.public_bytes(pem))
    (directory / "key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert", directory / "key")
    return context


DAY = dt.timedelta(days=1)
REFUSED = [
    (
        lambda _: served(authority().issue_cert("127.0.0.1", not_after=NOW - DAY)),
        "has expired: its operator must renew",
    ),
    (lambda _: served(authority().issue_cert("127.0.0.1", not_before=NOW + DAY)), "not valid yet: check the clock"),
    (lambda _: served(trustme.CA().issue_cert("127.0.0.1")), "issuer is unknown here: set ca_file"),
    (self_signed, "signed by itself: set ca_file to it"),
    (lambda _: served(authority().issue_cert("127.0.0.2")), "for another address: set host"),
    (lambda _: served(authority().issue_cert("mail.example")), "for another address: set host"),
]


@pytest.mark.parametrize("starttls", [False, True])
@pytest.mark.parametrize(("context", "words"), REFUSED)
def test_no_word_to_a_server_that_can_not_prove_itself(tmp_path, context, words, starttls):
    with ImapServer(context=context(tmp_path), starttls=starttls) as server:
        server.capabilities = "IMAP4rev1 STARTTLS AUTH=PLAIN"
        with pytest.raises(ServerUntrusted, match=words):
            connect(endpoint(server, tls="starttls" if starttls else "implicit"), ME)
        assert not server.logins


def test_old_tls():
    context = served(authority().issue_cert("127.0.0.1"))
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    def serve():
        with listener.accept()[0] as sock, contextlib.suppress(OSError):
            context.wrap_socket(sock, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        pool.submit(serve)
        with pytest.raises(
            ServerUntrusted, match=r"does not answer with TLS 1.2 or newer \(TLSV1_ALERT_PROTOCOL_VERSION"
        ):
            connect(Endpoint("127.0.0.1", listener.getsockname()[1]), ME)


def test_wrong_name():
    with ImapServer(names=("mail.example",)) as server, pytest.raises(ServerUntrusted, match="another name: set host"):
        connect(endpoint(server, host="localhost"), ME)


def test_the_system_does_not_know_our_ca(server):
    with pytest.raises(ServerUntrusted, match="issuer is unknown"):
        connect(endpoint(server, ca_file=None), ME)


def test_a_certificate_may_be_its_own_ca_file(tmp_path):
    with ImapServer(context=self_signed(tmp_path)) as server:
        connect(endpoint(server, ca_file=tmp_path / "cert"), ME).close()


def test_one_certificate_may_be_trusted_without_its_issuer(tmp_path):
    leaf = trustme.CA().issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf"))
    with ImapServer(context=served(leaf)) as server:
        connect(endpoint(server, ca_file=tmp_path / "leaf"), ME).close()


def test_a_plain_server_where_tls_is_expected():
    with ImapServer(starttls=True) as server, pytest.raises(ServerUntrusted, match=r"check port and tls"):
        connect(endpoint(server, tls="implicit"), ME)


def test_links_share_one_context_and_a_changed_ca_file_makes_a_new_one(tmp_path):
    ca_file = tmp_path / "ca"
    authority().cert_pem.write_to_path(str(ca_file))
    first = tls.context(ca_file)
    assert tls.context(ca_file) is first
    assert tls.context() is tls.context()
    assert first.check_hostname
    assert first.verify_mode is ssl.CERT_REQUIRED
    assert first.minimum_version is ssl.TLSVersion.TLSv1_2
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    os.utime(ca_file, ns=(1, 1))
    assert tls.context(ca_file) is not first


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_that_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "ca").write_bytes(content)
    with pytest.raises(ServerUntrusted, match="ca: no certificates can be read"):
        tls.context(tmp_path / "ca")


# --- known again ---


@pytest.mark.parametrize("starttls", [False, True])
def test_a_server_that_was_verified_is_known_again(starttls):
    with ImapServer(starttls=starttls) as server:
        server.capabilities = "IMAP4rev1 STARTTLS AUTH=PLAIN"
        assert not known_again(server, starttls=starttls)
        assert known_again(server, starttls=starttls)
        assert known_again(server, starttls=starttls)


def test_nobody_is_known_under_another_name_or_by_another_ca(tmp_path):
    with ImapServer(names=("127.0.0.1", "localhost")) as server:
        known_again(server)
        with pytest.raises(ServerUntrusted, match="issuer is unknown"):
            known_again(server, ca_file=None)
        assert not known_again(server, host="localhost")


def test_a_server_with_another_certificate_must_prove_itself(tmp_path):
    with ImapServer() as first:
        known_again(first)
        other = served(trustme.CA().issue_cert("127.0.0.1"))
        with ImapServer(context=other) as second, pytest.raises(ServerUntrusted, match="issuer is unknown"):
            known_again(first, port=second.port)
        assert not known_again(first), "a ticket that did not help is shown again"


def test_certificates_are_looked_at_anew_after_a_while(monkeypatch):
    with ImapServer() as server:
        known_again(server)
        monkeypatch.setattr(tls, "KNOWN", 0.0)
        assert not known_again(server)


def test_a_server_that_takes_no_ticket_back_is_asked_for_no_other(monkeypatch):
    """Since each one costs memory that Python does not give back."""
    asked = []
    monkeypatch.setattr(ssl.SSLSocket, "session", property(asked.append))
    with ImapServer() as server:
        assert [known_again(server) for _ in range(3)] == [False, False, False]
    assert len(asked) == 1


def known_again(server, starttls=False, **changes) -> bool:
    """Whether a new link shows that the server was verified before."""
    link = connect(endpoint(server, tls="starttls" if starttls else "implicit", **changes), ME)
    with contextlib.closing(link):
        return bool(link._wire.sock.session_reused)


# --- STARTTLS ---


@pytest.fixture
def plain_server():
    with ImapServer(starttls=True) as running:
        running.capabilities = lambda session: "IMAP4rev1 AUTH=PLAIN IDLE" + ("" if session.tls else " STARTTLS XEVIL")
        yield running


def test_starttls_asks_anew_what_the_server_can_do(plain_server):
    link = connect(endpoint(plain_server, tls="starttls"), ME)
    assert link.capabilities == {"IMAP4REV1", "AUTH=PLAIN", "IDLE"}
    assert plain_server.count("CAPABILITY") == 2
    link.close()


def test_what_was_said_before_tls_is_forgotten(plain_server):
    plain_server.greeting = b"* OK hi\r\n* 9 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 99] x\r\n"
    plain_server.hide_uidnext = True
    link = connect(endpoint(plain_server, tls="starttls"), ME)
    assert not link.news
    assert link.examine("INBOX").uidnext is None
    link.close()


def test_what_the_consent_says_the_server_can_do_is_forgotten_too(plain_server):
    async def consent(session, command):
        session.send(f"{command.tag} OK [CAPABILITY IMAP4rev1 LOGINDISABLED] begin\r\n")
        await session.writer.start_tls(session.server.context)
        session.tls = True

    plain_server.on("STARTTLS", consent)
    connect(endpoint(plain_server, tls="starttls"), ME).close()
    assert plain_server.logins == 1


async def premature(session, command):
    following = command.tag[:-1] + str(int(command.tag[-1]) + 1)
    session.send(f"* CAPABILITY IMAP4rev1 STARTTLS\r\n{command.tag} OK x\r\n{following} OK begin TLS now\r\n")


async def no_tls_after_all(session, command):
    session.send(f"{command.tag} OK begin\r\n")
    await session.writer.drain()
    await asyncio.sleep(0.05)  # so that it comes apart from the line before
    session.send("* OK what is this handshake? Let us talk plainly\r\n")


ATTACKS = {
    "PREAUTH greeting": (lambda server: setattr(server, "greeting", b"* PREAUTH hi\r\n"), "already logged in"),
    "PREAUTH with STARTTLS taken out": (
        lambda server: vars(server).update(greeting=b"* PREAUTH hi\r\n", capabilities="IMAP4rev1"),
        "already logged in",
    ),
    "STARTTLS taken out": (
        lambda server: setattr(server, "capabilities", "IMAP4rev1 AUTH=PLAIN"),
        "taken out|took it out",
    ),
    "NO": (lambda server: server.on("STARTTLS", b"{tag} NO not today\r\n"), "refuses STARTTLS .not today"),
    "BAD": (lambda server: server.on("STARTTLS", b"{tag} BAD what?\r\n"), "refuses STARTTLS .what"),
    "untagged line after OK": (
        lambda server: server.on("STARTTLS", b"{tag} OK begin\r\n* CAPABILITY IMAP4rev1 XEVIL\r\n"),
        "nobody asked for before TLS",
    ),
    "half a line after OK": (lambda server: server.on("STARTTLS", b"{tag} OK begin\r\n* CAPABI"), "nobody asked for"),
    "answer to a later command after OK": (
        lambda server: server.on("STARTTLS", b"{tag} OK begin\r\nA3 OK logged in\r\n"),
        "nobody asked for before TLS",
    ),
    "OK before the command": (lambda server: server.on("CAPABILITY", premature), "nobody asked for before TLS"),
    "plain text in place of the handshake": (
        lambda server: server.on("STARTTLS", no_tls_after_all),
        "check port and tls",
    ),
}


@pytest.mark.parametrize(("arm", "words"), ATTACKS.values(), ids=ATTACKS)
def test_meddling_before_tls_is_found(plain_server, arm, words):
    arm(plain_server)
    with pytest.raises(ServerUntrusted, match=words):
        connect(endpoint(plain_server, tls="starttls"), ME)
    assert not plain_server.logins
    assert not any(b"AUTHENTICATE" in line or b"LOGIN" in line for line in plain_server.lines)


BREAKS = {
    "BYE": (bye("no TLS here"), "no TLS here"),
    "EOF": (eof, "closed the connection"),
    "another tag": (b"X1 OK begin\r\n", "unexpected"),
    "no IMAP": (b"220 ready to start TLS\r\n", "unexpected"),
    "a literal": (b"* OK {3}\r\nabc\r\n", "where none belongs"),
}


@pytest.mark.parametrize(("answer", "words"), BREAKS.values(), ids=BREAKS)
def test_a_break_before_tls(plain_server, answer, words):
    plain_server.on("STARTTLS", answer)
    with pytest.raises(MailboxLost, match=words):
        connect(endpoint(plain_server, tls="starttls"), ME)
    assert not plain_server.logins


def test_eof_in_the_handshake_is_a_matter_of_the_path(plain_server):
    async def hang_up(session, command):
        session.send(f"{command.tag} OK begin\r\n")
        await session.reader.read(1)
        session.writer.close()

    plain_server.on("STARTTLS", hang_up)
    with pytest.raises(MailboxLost):
        connect(endpoint(plain_server, tls="starttls"), ME)


def test_preauth_within_tls_is_not_our_login(server):
    server.greeting = b"* PREAUTH welcome back\r\n"
    with pytest.raises(ServerUntrusted, match="somebody we don't know"):
        connect(endpoint(server), ME)


@pytest.mark.parametrize("command", ["CONNECT", "STARTTLS"])
def test_what_the_server_says_before_tls_is_known_for_what_it_means(plain_server, command):
    plain_server.on(command, b"* BYE [LIMIT] too many connections\r\n")
    with pytest.raises(MailboxLost, match="the password is not wrong") as lost:
        connect(endpoint(plain_server, tls="starttls"), ME)
    assert (lost.value.cause, lost.value.how) == ("connections", Loss.SAID)
