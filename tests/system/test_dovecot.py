"""The private Dovecot does what the other system tests rely on."""

import imaplib
import select
import smtplib
import ssl
from datetime import UTC, datetime

import pytest

from tests.system import mails
from tests.system.dovecot import Dovecot
from tests.system.processes import using
from tests.system.waiting import until

pytestmark = pytest.mark.system
HELLO = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob", "carol")) as running:
        yield running


def test_lmtp_delivers_into_any_folder(server):
    server.deliver_many([("alice", "INBOX", HELLO), ("alice", "Bills", HELLO), ("alice", "INBOX", HELLO)])
    assert sorted(server.flags("alice")) == [1, 2]
    assert sorted(server.flags("alice", "Bills")) == [1]


def test_an_unknown_user_is_refused(server):
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        server.deliver("mallory", HELLO)


@pytest.mark.parametrize("case", range(len(mails.KINDS)))
def test_every_kind_of_mail_keeps_its_bytes(server, case):
    made = mails.mail(case)
    server.deliver("carol", made.raw, f"kind-{case}")
    kept = server.raw("carol", f"kind-{case}", 1)
    assert kept.endswith(made.raw.rstrip(b"\r\n") + kept[len(kept.rstrip(b"\r\n")) :])
    assert kept.startswith(b"Return-Path:")


def test_append_sets_flags_and_date(server):
    server.create("bob", "Old", uidvalidity=7)
    server.append("bob", "Old", HELLO, [r"\Flagged"], datetime(2020, 1, 2, tzinfo=UTC))
    assert server.flags("bob", "Old")[1] >= {r"\Flagged"}
    assert server.status("bob", "Old", "uidvalidity") == 7
    with server.imap("bob") as link:
        link.select("Old", readonly=True)
        assert b"02-Jan-2020 00:00:00" in link.uid("FETCH", "1", "(INTERNALDATE)")[1][0]


def test_a_select_is_seen_in_the_flags_and_an_examine_is_not(server):
    server.deliver("bob", HELLO, "Looked")
    with server.imap("bob") as link:
        link.select("Looked", readonly=True)
        link.uid("FETCH", "1", "(BODY.PEEK[])")
        assert server.flags("bob", "Looked") == {1: frozenset({r"\Recent"})}
        link.select("Looked")
        assert server.flags("bob", "Looked") == {1: frozenset()}


@pytest.mark.parametrize("folder", ["INBOX", "Remade"])
def test_a_remade_folder_has_a_new_uidvalidity_and_uids_from_1(server, folder):
    server.deliver_many([("bob", folder, HELLO)] * 3)
    before = server.status("bob", folder, "uidvalidity")
    assert server.recreate("bob", folder) == before + 1
    assert server.recreate("bob", folder, uidvalidity=4711) == 4711
    assert server.flags("bob", folder) == {}
    server.deliver("bob", HELLO, folder)
    assert sorted(server.flags("bob", folder)) == [1]


def test_starttls_and_the_certificate(server):
    trusting = ssl.create_default_context(cafile=str(server.ca_file))
    with imaplib.IMAP4("127.0.0.1", server.starttls_port, timeout=60) as link:
        link.starttls(trusting)
        assert link.login("alice", server.password)[0] == "OK"
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("127.0.0.1", server.port, ssl_context=ssl.create_default_context(), timeout=60)


def test_links_are_shown_and_kicked(server):
    link = imaplib.IMAP4_SSL("127.0.0.1", server.port, ssl_context=ssl.create_default_context(cafile=server.ca_file))
    link.login("carol", server.password)
    assert server.connections() == {"carol": 1}
    server.kick("carol")
    until(lambda: not server.connections(), 60, "the end of carol's link")
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        link.noop()
    link.shutdown()


def test_an_outage_keeps_port_and_mails_and_a_stop_leaves_nothing():
    with Dovecot() as server:
        server.deliver("alice", HELLO)
        port = server.port
        server.stop()
        assert using(server.root) == {}
        with pytest.raises(ConnectionRefusedError):
            imaplib.IMAP4("127.0.0.1", port, timeout=5)
        server.start()
        assert sorted(server.flags("alice")) == [1]
    assert using(server.root) == {}
    assert not server.root.exists()


def test_idle_links_hibernate_in_one_process_and_still_get_their_news():
    users = tuple(f"user-{number}" for number in range(10))
    with Dovecot(users=users, hibernate=1) as server:
        alone = len(server.processes())
        links = {user: _idle(server, user) for user in users}
        until(lambda: len(server.processes()) <= alone + 3, 60, "the links to hibernate")
        assert len(server.connections()) == len(users)
        deaf = {user for user in users if not _is_told(server, user, links[user])}
        assert not {user for user in deaf if not _is_told(server, user, links[user])}
        for link in links.values():
            link.shutdown()


def _is_told(server: Dovecot, user: str, link: imaplib.IMAP4_SSL) -> bool:
    """Of a mail that comes now. Of one within half a second before it hibernates a link, Dovecot does not tell it."""
    server.deliver(user, HELLO)
    told, _, _ = select.select([link.sock], [], [], 5)
    return bool(told) and link.readline().endswith(b" EXISTS\r\n")


def _idle(server: Dovecot, user: str) -> imaplib.IMAP4_SSL:
    context = ssl.create_default_context(cafile=server.ca_file)
    link = imaplib.IMAP4_SSL("127.0.0.1", server.port, ssl_context=context, timeout=60)
    link.login(user, server.password)
    link.select(readonly=True)
    link.send(b"x IDLE\r\n")
    assert link.readline().startswith(b"+ ")
    return link
