"""Our own certificate, shown to a real TLS server that asks for one."""

import os
import ssl
from dataclasses import replace

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.fakes.imap_server import ImapServer
from watcher.config.secret import Secret
from watcher.errors import LoginRefused, MailboxLost, SecretUnavailable
from watcher.imap.identity import Identity, present
from watcher.imap.link import Credential, Endpoint, Proof, connect
from watcher.imap.tls import context

CA = trustme.CA()
OURS = CA.issue_cert("me@example.com")
OTHER = CA.issue_cert("other@example.com")


@pytest.fixture
def files(tmp_path):
    """Writes a file that only we may read."""

    def write(name, *pems, mode=0o600):
        path = tmp_path / name
        path.write_bytes(b"".join(pem if isinstance(pem, bytes) else pem.bytes() for pem in pems))
        path.chmod(mode)
        return path

    return write


def shown_by(client):
    """The names in the certificate that `client` shows to a server; nothing if it shows none."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.verify_mode = ssl.CERT_OPTIONAL
    CA.configure_trust(server)
    CA.issue_cert("localhost").configure_cert(server)
    ends = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(ends[0], ends[1], server_side=True)
    here = client.wrap_bio(ends[1], ends[0], server_hostname="localhost")
    for _ in range(10):
        for end in (here, there):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = there.getpeercert()
    return certificate and [name for _, name in certificate["subjectAltName"]]


@pytest.fixture
def trust(files):
    return context(files("ca.pem", CA.cert_pem))


def test_it_is_shown(files, trust):
    present(trust, Identity(files("me.pem", *OURS.cert_chain_pems), files("me.key", OURS.private_key_pem)))
    assert shown_by(trust) == ["me@example.com"]


def test_key_and_certificate_may_lie_in_one_file(files, trust):
    present(trust, Identity(files("me.pem", OURS.private_key_pem, *OURS.cert_chain_pems)))
    assert shown_by(trust) == ["me@example.com"]


def test_none_is_shown_without(trust):
    assert not shown_by(trust)


def locked():
    key = load_pem_private_key(OURS.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


REFUSED = [
    ("another's key", OTHER.private_key_pem, 0o600, "belongs to another certificate"),
    ("no key", b"nothing", 0o600, "no PEM file"),
    ("locked", locked(), 0o600, "has a password"),
    ("open to all", OURS.private_key_pem, 0o644, "chmod 600"),
]


@pytest.mark.parametrize(("key", "mode", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_wrong_with_it_is_said(files, trust, key, mode, words):
    identity = Identity(files("me.pem", *OURS.cert_chain_pems), files("me.key", key, mode=mode))
    with pytest.raises(SecretUnavailable, match=words):
        present(trust, identity)


def test_a_missing_file_is_named(tmp_path, trust):
    with pytest.raises(SecretUnavailable, match=r"me\.pem.*No such file"):
        present(trust, Identity(tmp_path / "me.pem"))


def test_it_is_proof_enough_where_the_server_says_so(files):
    """EXTERNAL over the wire; a name that is not in the certificate is refused."""
    wants = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    wants.verify_mode = ssl.CERT_REQUIRED
    CA.configure_trust(wants)
    CA.issue_cert("127.0.0.1").configure_cert(wants)
    identity = Identity(files("me.pem", OURS.private_key_pem, *OURS.cert_chain_pems))
    nothing = Secret("")
    with ImapServer(context=wants) as server:
        server.capabilities = "IMAP4rev1 AUTH=EXTERNAL"
        server.users = {"me@example.com": "", "boss@example.com": ""}
        there = Endpoint(server.host, server.port, ca_file=files("ca.pem", CA.cert_pem), identity=identity)
        link = connect(there, Credential("me@example.com", nothing, Proof.CERTIFICATE))
        link.close()
        assert link.mechanism == "EXTERNAL"
        with pytest.raises(LoginRefused):
            connect(there, Credential("boss@example.com", nothing, Proof.CERTIFICATE))
        with pytest.raises(MailboxLost, match=r"certificate of ours|closed the connection"):
            connect(replace(there, identity=None), Credential("me@example.com", nothing, Proof.CERTIFICATE))


def test_links_of_one_account_share_a_context_until_the_file_changes(files):
    ca_file, mine = files("ca.pem", CA.cert_pem), files("me.pem", OURS.private_key_pem, *OURS.cert_chain_pems)
    first = context(ca_file, Identity(mine))
    assert context(ca_file, Identity(mine)) is first
    assert context(ca_file) is not first
    os.utime(mine, (1, 1))
    assert context(ca_file, Identity(mine)) is not first


@pytest.mark.parametrize("gone", ["me.pem", "me.key"])
def test_a_file_that_is_gone_is_no_fault_of_the_ca_file(files, gone):
    identity = Identity(files("me.pem", *OURS.cert_chain_pems), files("me.key", OURS.private_key_pem))
    (identity.certificate.parent / gone).unlink()
    with pytest.raises(SecretUnavailable, match=gone):
        context(files("ca.pem", CA.cert_pem), identity)
