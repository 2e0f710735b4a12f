"""One connection to a relay, against a scripted server and a real one (aiosmtpd)."""

import base64
import re
import socket

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.smtp_server import CUT, SmtpServer
from watcher.config.masking import mask
from watcher.config.secret import PlainSource, Secret
from watcher.errors import MailboxLost, ServerUntrusted
from watcher.model import Verdict
from watcher.outbox.parcel import Parcel
from watcher.outbox.send import Patience, Refused, Session
from watcher.outbox.signals import Trouble
from watcher.outbox.talk import Talk
from watcher.outbox.wire import Cut

QUICK = Patience(connect=20, greeting=20, command=20, block=20, end=20)
MAIL = b"From: ann@example.com\r\nSubject: Hi\r\n\r\n.dot\r\n..two\r\n.\r\nend\r\n"


@pytest.fixture
def opened():
    """Makes sessions that are closed in the end."""
    sessions = []

    def make(relay, talk=None, patience=QUICK):
        sessions.append(Session(relay, talk or Talk(), patience))
        sessions[-1].open()
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def parcel(tmp_path):
    def make(data=MAIL, *recipients, sender="ann@example.com"):
        path = tmp_path / "message.eml"
        path.write_bytes(data)
        return Parcel(sender, recipients or ("bob@example.org",), path)

    return make


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN", "PLAIN LOGIN", "XOAUTH2 PLAIN"])
def test_a_mail_goes_through_as_it_is(tls, auth, parcel, opened):
    with SmtpServer(tls=tls, auth=auth) as server:
        session = opened(server.relay())
        assert session.deliver(parcel(MAIL, "bob@example.org", "eve@example.net")) == {
            "bob@example.org": None,
            "eve@example.net": None,
        }
        session.close()
        (mail,) = server.mails
        assert mail.data == MAIL
        assert (mail.sender, mail.recipients) == ("ann@example.com", ("bob@example.org", "eve@example.net"))
        assert f"SIZE={len(MAIL)}" in mail.parameters


def test_several_mails_share_a_connection(parcel, opened):
    with SmtpServer() as server:
        session = opened(server.relay())
        for number in range(5):
            assert session.alive()
            session.deliver(parcel(f"Subject: {number}\r\n\r\n".encode()))
        assert [mail.data.split()[1] for mail in server.mails] == [b"0", b"1", b"2", b"3", b"4"]
        assert server.connections == 1


def test_a_token_goes_by_xoauth2(parcel, opened):
    with SmtpServer(auth="PLAIN XOAUTH2") as server:
        session = opened(server.relay(source=PlainSource(Secret("token")), token=True))
        session.deliver(parcel())
        assert server.count("AUTH XOAUTH2") == 1


@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN", "XOAUTH2"])
def test_a_refused_login_tells_and_shows_no_secret(auth, opened):
    canary = "canary-Pa55wort!"
    with SmtpServer(auth=auth) as server:
        talk = Talk()
        source = PlainSource(Secret(canary))
        with pytest.raises(Refused) as refusal:
            opened(server.relay(source=source, token=auth == "XOAUTH2"), talk)
        assert (refusal.value.signal.trouble, refusal.value.signal.verdict) == (Trouble.AUTH, Verdict.HOLD)
        shown = talk.text() + str(refusal.value) + repr(refusal.value)
        assert "535" in shown
        assert_hidden(canary, shown)
        assert f"AUTH {auth}" in shown


@pytest.mark.parametrize("form", ["535 5.7.8 no: {0}\r\n", "535 no: {1}\r\n", "what is {0}?\r\n", "{1}\r\n"])
def test_a_server_that_repeats_the_secret_gives_nothing_away(form, opened):
    canary = "canary-Pa55wort!"
    with SmtpServer(auth="PLAIN") as server:
        talk = Talk()
        server.on("AUTH", form.format(canary, base64.b64encode(f"\0me\0{canary}".encode()).decode()).encode())
        with pytest.raises((Refused, Cut)) as refusal:
            opened(server.relay(source=PlainSource(Secret(canary))), talk)
        assert_hidden(canary, f"{talk.text()} {refusal.value} {refusal.value!r}")


def assert_hidden(canary, shown):
    assert canary not in shown
    for word in re.findall(r"[A-Za-z0-9+/=]{8,}", shown):
        for start in range(4):
            whole = word[start:]
            whole = whole[: len(whole) // 4 * 4]
            assert canary[:6].encode() not in base64.b64decode(whole + "=" * (-len(whole) % 4))


@given(
    st.text("abcdefgh", max_size=9), st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=8, max_size=20)
)
def test_a_secret_is_masked_wherever_it_stands_in_base64(before, secret):
    told = base64.b64encode(f"{before}{secret}".encode()).decode()
    held = Secret(secret)
    assert_hidden_in_base64(held.reveal(), mask(f"S: 535 {told} {secret}"))


def assert_hidden_in_base64(secret, shown):
    assert secret not in shown
    for word in re.findall(r"[A-Za-z0-9+/]{8,}", shown):
        assert secret.encode() not in base64.b64decode(word[: len(word) // 4 * 4])


def test_without_tls_nothing_is_said_but_on_this_machine(parcel, opened):
    with SmtpServer(tls="none", auth="") as server:
        session = opened(server.relay(source=None))
        session.deliver(parcel())
        assert server.mails


def test_starttls_that_is_not_offered_is_no_reason_to_go_without(opened):
    with SmtpServer(tls="none") as server, pytest.raises(ServerUntrusted, match="STARTTLS"):
        opened(server.relay(tls="starttls"))
    assert server.count("AUTH") == 0


def test_what_is_slipped_in_before_tls_is_found(opened):
    with SmtpServer(tls="starttls") as server:
        server.on("STARTTLS", b"220 go\r\n250 slipped in\r\n")
        with pytest.raises(ServerUntrusted, match="meddling"):
            opened(server.relay())


def test_a_stranger_s_certificate_is_not_trusted(opened):
    with SmtpServer() as server, pytest.raises(ServerUntrusted, match="can't be trusted"):
        opened(server.relay(ca_file=None))


def test_nobody_listens(opened):
    with SmtpServer() as server:
        relay = server.relay()
    with pytest.raises(MailboxLost, match="can't connect"):
        opened(relay)


def test_each_recipient_has_his_own_answer(parcel, opened):
    with SmtpServer() as server:
        session = opened(server.relay())
        server.on("RCPT", b"250 2.1.5 ok\r\n")
        server.on("RCPT", b"550 5.1.1 no such user\r\n")
        server.on("RCPT", b"450 4.2.1 later\r\n")
        results = session.deliver(parcel(MAIL, "a@b.c", "b@b.c", "c@b.c", "d@b.c"))
        verdicts = [found and found.signal.verdict for found in results.values()]
        assert verdicts == [None, Verdict.NEVER, Verdict.LATER, None]
        assert len(server.mails) == 1


def test_if_nobody_is_left_nothing_is_sent(parcel, opened):
    with SmtpServer() as server:
        session = opened(server.relay())
        server.on("RCPT", b"550 5.1.1 no such user\r\n")
        assert session.deliver(parcel())["bob@example.org"] is not None
        assert server.count("DATA") == 0
        assert session.deliver(parcel())["bob@example.org"] is None


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT", "BODY"])
def test_a_cut_says_whether_the_mail_may_have_arrived(step, parcel, opened):
    with SmtpServer() as server:
        server.on(step, CUT)
        past = []
        with pytest.raises(Cut) as cut:
            opened(server.relay()).deliver(parcel(), lambda: past.append(1))
        assert cut.value.doubt == (step in {"DOT", "BODY"}) == bool(past)
        assert len(server.mails) == (step == "BODY")


@pytest.mark.parametrize(
    "nonsense", [b"HTTP/1.1 400 Bad\r\n", b"\xff\xfe\r\n", b"x" * 9000, b"250-a\r\n" * 300, b"\r\n"]
)
def test_what_is_no_smtp_ends_it(nonsense, opened):
    with SmtpServer() as server:
        server.on("GREETING", nonsense)
        with pytest.raises(Cut):
            opened(server.relay())


def test_silence_ends_in_time(parcel, opened):
    with SmtpServer() as server:
        session = opened(server.relay(), patience=Patience(command=0.3))
        server.on("MAIL", b"250-and\r\n")
        with pytest.raises(Cut, match="no answer in time"):
            session.deliver(parcel())


def test_a_mail_too_big_for_the_relay_is_not_sent(parcel, opened):
    with SmtpServer(features=["SIZE 10"]) as server:
        with pytest.raises(Refused) as refusal:
            opened(server.relay()).deliver(parcel())
        assert refusal.value.signal.trouble is Trouble.SIZE
        assert server.count("MAIL") == 0


def test_letters_beyond_ascii_go_only_where_they_are_taken(parcel, opened):
    mail = parcel("Subject: Grüße\r\n\r\nя\r\n".encode(), "用户@example.org")
    with SmtpServer() as server:
        opened(server.relay()).deliver(mail)
        assert "SMTPUTF8" in server.mails[0].parameters
        assert server.mails[0].recipients == ("用户@example.org",)
    with SmtpServer(features=[]) as server, pytest.raises(Refused, match="SMTPUTF8"):
        opened(server.relay()).deliver(mail)


def test_a_line_break_in_an_address_never_gets_on_the_wire(parcel, opened):
    with SmtpServer() as server:
        session = opened(server.relay())
        with pytest.raises(ValueError, match="newline"):
            session.deliver(parcel(MAIL, "a@b.c>\r\nDATA"))
        assert server.count("DATA") == 0


def test_a_big_mail_goes_from_the_disk_in_blocks(parcel, opened):
    data = b"Subject: big\r\n\r\n" + b"".join(b".%070d\r\n" % number for number in range(100_000))
    with SmtpServer() as server:
        opened(server.relay()).deliver(parcel(data))
        assert server.mails[0].data == data


def test_a_real_server_takes_it(parcel, opened):
    class Handler:
        taken = None

        async def handle_DATA(self, server, session, envelope):  # noqa: N802
            self.taken = envelope
            return "250 taken"

    handler = Handler()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with SmtpServer() as other:
            relay = other.relay(port=port, tls="none", source=None)
        session = opened(relay)
        session.deliver(parcel())
        session.close()
    finally:
        controller.stop()
    assert handler.taken.content == MAIL
    assert handler.taken.rcpt_tos == ["bob@example.org"]
