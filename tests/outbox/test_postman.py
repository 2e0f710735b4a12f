"""From the ledger to a relay: nothing lost, a second copy only after the final dot, each recipient for himself."""

import socket
import threading
from base64 import b64encode
from collections import Counter
from hashlib import sha256

import dkim
import pytest
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.fakes.smtp_server import CUT, SmtpServer
from tests.store.conftest import Books
from watcher.config.secret import Secret, SecretSource
from watcher.config.smtp import DkimSettings
from watcher.model import Kind
from watcher.outbox.postman import Postman
from watcher.outbox.send import Patience
from watcher.posting import Posting
from watcher.retry import decide
from watcher.store.desk import Filter
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

QUICK = Patience(connect=20, greeting=20, command=20, block=20, end=20)
HOUR = 3600.0


class Office:
    """A ledger, a spool and a postman, and a clock that jumps to what is due."""

    def __init__(self, state, relay, boot="0"):
        self.books = Books(state, boot=boot)
        self.outgoing = Outgoing(self.books.database)
        self.spool = Spool(state)
        self.postman = Postman(
            lambda name: relay if name == "out" else None, self.outgoing, self.spool, QUICK, lambda: self.now
        )
        self.relay = relay
        self.now = 1000.0

    def post(self, key, *recipients, text="Hi", relay="out"):
        data = f"From: ann@example.com\r\nMessage-ID: <{key}@example.com>\r\nSubject: {text}\r\n\r\n{text}\r\n".encode()
        draft = self.spool.draft(key)
        draft.write(data)
        draft.finish()
        self.spool.settle([key])
        digest = sha256(data).hexdigest()
        people = recipients or ("bob@example.org",)
        posting = Posting(key, relay, "h", "ann@example.com", people, f"<{key}@example.com>", digest, len(data))
        self.outgoing.post(posting, self.now)

    def turn(self, lane="out", most=100):
        """One lot; how many pieces it had."""
        works = self.books.ledger.claim_lot(Kind.SEND, self.now, lane, most)
        for work, outcome in self.postman.act(works):
            decision = decide(outcome, work, self.postman.policy(work), self.now)
            assert self.books.ledger.finish(work, outcome, decision, self.now)
        return len(works)

    def until_still(self, most=100):
        for _ in range(400):
            if not self.turn(most=most):
                waiting = self.books.ledger.lanes(Kind.SEND)
                if not waiting:
                    return
                self.now = max(self.now, waiting[0].due)
        pytest.fail("it never comes to rest")

    def states(self):
        return Counter(entry.status for entry in self.books.desk.entries(Filter(kind="send", limit=10_000)))

    def entry(self):
        (entry,) = self.books.desk.entries(Filter(kind="send"))
        return self.books.desk.show(entry.id)[0]

    def close(self):
        self.postman.close()
        self.books.database.close()


@pytest.fixture
def server():
    with SmtpServer() as running:
        yield running


@pytest.fixture
def office(tmp_path, server):
    opened = Office(tmp_path, server.relay())
    yield opened
    opened.close()


def ids(server):
    return Counter(mail.data.split(b"\r\n")[1] for mail in server.mails)


def test_a_relay_has_one_run_at_a_time(office):
    office.post("k", "a@b.c", "d@e.f")
    works = office.books.ledger.claim_lot(Kind.SEND, office.now, "out", 10)
    assert [office.postman.lane(work) for work in works] == ["out", "out"]
    assert (office.postman.limit("out"), bool(office.postman.lot("out"))) == (1, True)


def test_letters_go_over_one_connection(office, server):
    for number in range(5):
        office.post(f"k{number}", "a@b.c", "d@e.f")
    office.turn()
    assert office.states() == {"done": 10}
    assert server.connections == 1
    assert office.outgoing.taken_between("out", 0.0, office.now) == 10
    assert all(mail.recipients == ("a@b.c", "d@e.f") for mail in server.mails)


@pytest.mark.parametrize("step", ["TLS", "GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT", "BODY", "RSET"])
def test_a_cut_at_any_step_loses_none_and_doubles_only_after_the_dot(office, server, step):
    for number in range(50):
        office.post(f"k{number}")
    if step in {"DOT", "BODY"}:
        server.cut_first = step
    else:
        server.on(step, CUT, times=50)
    office.until_still(most=1)
    assert office.states() == {"done": 50}
    copies = ids(server)
    assert len(copies) == 50
    assert set(copies.values()) <= ({1, 2} if step == "BODY" else {1})
    doubts = office.books.database.read("SELECT sum(doubts) FROM letter")[0][0]
    assert doubts == (50 if step in {"DOT", "BODY"} else 0)
    assert copies.total() == 50 + (50 if step == "BODY" else 0)


def test_what_is_in_doubt_twice_is_told_and_not_sent_again(office, server):
    office.post("k")
    server.on("BODY", CUT, times=5)
    office.until_still()
    assert len(server.mails) == 2
    entry = office.entry()
    assert (entry.status, "may have arrived" in entry.reason) == ("dead", True)
    assert "C: MAIL FROM" in entry.output


def test_each_recipient_for_himself(office, server):
    office.post("k", "a@b.c", "d@e.f", "g@h.i")
    server.on("RCPT", b"550 5.1.1 no such user\r\n")
    server.on("RCPT", b"450 4.2.1 later\r\n")
    office.turn()
    assert office.states() == {"dead": 1, "waiting": 1, "done": 1}
    office.until_still()
    assert [mail.recipients for mail in server.mails] == [("g@h.i",), ("d@e.f",)]
    assert office.states() == {"dead": 1, "done": 2}


def test_growing_waits_end_after_two_days(office, server):
    office.post("k")
    server.on("MAIL", b"451 4.3.0 not now\r\n", times=1000)
    start = office.now
    office.until_still()
    entry = office.entry()
    assert entry.status == "dead"
    assert 47 * HOUR < office.now - start < 50 * HOUR
    assert 45 < entry.attempts < 65


@pytest.mark.parametrize(("answer", "status"), [(b"550 5.7.1 no\r\n", "dead"), (b"451 4.7.1 later\r\n", "waiting")])
def test_what_is_said_of_one_letter_holds_no_other(office, server, answer, status):
    office.post("a")
    office.post("b")
    server.on("BODY", answer)
    office.turn()
    assert office.states() == {status: 1, "done": 1}
    assert server.connections == 1


class Changing(SecretSource):
    value = "wrong"

    def fetch(self):
        return Secret(self.value)


def test_a_refused_password_is_not_shown_again_until_it_changes(tmp_path, server):
    source = Changing()
    office = Office(tmp_path, server.relay(source=source))
    for number in range(3):
        office.post(f"k{number}")
    for _ in range(10):
        office.turn()
        office.now += 700
    assert server.count("AUTH") == 1
    assert office.states() == {"waiting": 3}
    assert "535" in office.books.desk.entries(Filter(kind="send"))[0].reason
    source.value = server.password
    office.until_still()
    assert office.states() == {"done": 3}
    office.close()


def test_a_password_that_is_kept_as_another_hash_gets_in_by_plain_and_by_that_at_once_the_next_time(tmp_path):
    with SmtpServer(auth="SCRAM-SHA-256 PLAIN") as server:
        office = Office(tmp_path, server.relay())
        for number in range(2):
            office.post(f"k{number}")
            office.turn()
            server.drop()
        office.close()
    assert [line.split()[1] for line in server.lines if line.startswith("AUTH")] == ["SCRAM-SHA-256", "PLAIN", "PLAIN"]
    assert len(server.mails) == 2


def test_a_relay_out_of_its_allowance_is_left_alone_and_no_attempt_is_used(office, server):
    office.post("a")
    office.post("b")
    server.on("MAIL", b"454 4.7.0 Throttling failure: Daily message quota exceeded.\r\n")
    office.turn()
    assert office.states() == {"waiting": 2}
    assert server.count("MAIL") == 1
    due = office.books.ledger.lanes(Kind.SEND)[0].due
    assert due == office.now + 6 * HOUR
    office.until_still()
    assert office.states() == {"done": 2}


def test_daily_and_rate_hold_what_is_beyond(tmp_path, server):
    office = Office(tmp_path, server.relay(rate=3))
    for number in range(8):
        office.post(f"k{number}")
    office.turn()
    assert office.states() == {"done": 3, "waiting": 5}
    office.close()
    other = Office(tmp_path, server.relay(daily=4), boot="1")
    other.now = 2000.0
    other.turn()
    assert other.states() == {"done": 4, "waiting": 4}
    other.close()


def test_a_letter_to_more_than_a_day_allows_goes_out_day_by_day(tmp_path, server):
    office = Office(tmp_path, server.relay(daily=5))
    office.post("k", *(f"p{number}@example.org" for number in range(8)))
    office.post("l")
    office.turn()
    assert office.states() == {"done": 5, "waiting": 4}
    office.until_still()
    assert office.states() == {"done": 9}
    assert office.now > 24 * HOUR
    office.close()


@pytest.mark.parametrize("limit", [{"rate": 1}, {"daily": 1}])
def test_a_limit_that_we_keep_ourselves_is_no_trouble(tmp_path, server, limit):
    office = Office(tmp_path, server.relay(**limit))
    office.post("a")
    office.post("b")
    works = office.books.ledger.claim_lot(Kind.SEND, office.now, "out", 10)
    verdicts = [(outcome.verdict, outcome.foreseen) for _, outcome in office.postman.act(works)]
    assert verdicts == [("done", False), ("hold", True)]
    office.close()


class Restless(Outgoing):
    """In the midst of a mail, another worker looks for connections that nobody needs."""

    def mark(self, works):
        super().mark(works)
        self.rest()


def test_a_connection_in_use_is_not_ended_by_who_tidies_up(office, server):
    office.postman.outgoing = Restless(office.books.database)
    office.postman.outgoing.rest = office.postman.rest
    office.post("k")
    office.turn()
    assert office.states() == {"done": 1}
    assert b"QUIT" not in server.mails[0].data
    assert server.connections == 1


@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_the_end_does_not_wait_for_a_relay_that_says_nothing(tmp_path, tls):
    with socket.create_server(("127.0.0.1", 0)) as mute, SmtpServer() as other:
        office = Office(tmp_path, other.relay(port=mute.getsockname()[1], tls=tls, source=None))
        office.postman.patience = Patience(connect=1000, greeting=1000)
        office.post("k")
        turn = threading.Thread(target=office.turn)
        turn.start()
        line, _ = mute.accept()
        with line:
            if tls == "implicit":
                assert line.recv(1), "it has begun to set up TLS"
            while not office.postman.lines["out"].session.opened:
                turn.join(0.01)
            office.postman.abort()
            turn.join(60)
            assert not turn.is_alive()
    assert office.states() == {"waiting": 1}
    office.turn()
    assert office.states() == {"waiting": 1}, "no other connection is begun"
    office.close()


class Rotating(SecretSource):
    """An access token that is renewed when it is refused."""

    values = ("old", "token")

    def fetch(self):
        return Secret(self.values[0])

    def reject(self, secret):
        assert secret == Secret("old")
        self.values = self.values[1:]


def test_a_token_that_was_renewed_is_not_blamed_for_the_old_one(tmp_path):
    with SmtpServer(auth="XOAUTH2") as server:
        office = Office(tmp_path, server.relay(source=Rotating(), token=True))
        office.post("k")
        office.turn()
        office.now += 601
        office.turn()
        assert office.states() == {"done": 1}
        office.close()


def test_a_relay_that_is_gone_from_the_configuration_holds_its_mail(office):
    office.post("k", relay="other")
    office.turn("other")
    entry = office.entry()
    assert (entry.status, "no relay other" in entry.reason) == ("waiting", True)


def test_lost_bytes_are_a_dead_letter(office):
    office.post("k")
    office.spool.remove(["k"])
    office.turn()
    assert office.entry().status == "dead"


def test_a_server_that_is_down_is_tried_once_for_all(office, server):
    for number in range(5):
        office.post(f"k{number}")
    server.stop()
    office.turn()
    assert office.states() == {"waiting": 5}
    reasons = Counter(entry.attempts for entry in office.books.desk.entries(Filter(kind="send")))
    assert reasons == {1: 5}
    counted = office.books.database.read("SELECT count(*) FROM work WHERE attempts > pardoned")[0][0]
    assert counted == 1


def test_a_kept_connection_that_died_is_replaced_unseen(office, server):
    office.post("a")
    office.turn()
    server.drop()
    office.post("b")
    office.turn()
    assert office.states() == {"done": 2}
    assert server.connections == 2


def test_mail_is_signed_where_the_relay_does_not(tmp_path, server):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    public = b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    office = Office(tmp_path, server.relay(dkim=DkimSettings(selector="s1", key=tmp_path / "key.pem")))
    office.post("k", text="Hello")
    office.turn()
    (mail,) = server.mails

    def lookup(name, **_):
        assert name == b"s1._domainkey.example.com."
        return b"v=DKIM1; k=rsa; p=" + public

    assert dkim.verify(mail.data, dnsfunc=lookup)
    assert not dkim.verify(mail.data.replace(b"Hello", b"Holla"), dnsfunc=lookup)
    office.close()


def test_a_key_that_can_not_be_used_holds_the_mail(tmp_path, server):
    (tmp_path / "key.pem").write_text("no key")
    office = Office(tmp_path, server.relay(dkim=DkimSettings(selector="s1", key=tmp_path / "key.pem")))
    office.post("k")
    office.turn()
    entry = office.entry()
    assert (entry.status, "DKIM key" in entry.reason) == ("waiting", True)
    assert server.mails == []
    office.close()


class Cutting:
    """Of aiosmtpd: breaks off at one step, a number of times; what it takes is kept."""

    def __init__(self, step, times):
        self.step, self.left, self.taken = step, times, []

    def cut(self, step, server):
        if self.step != step or not self.left:
            return False
        self.left -= 1
        server.transport.abort()
        return True

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        session.host_name = hostname
        self.cut("EHLO", server)
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        self.cut("MAIL", server)
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.cut("RCPT", server)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if not self.cut("DOT", server):
            self.taken.append(envelope.content.split(b"\r\n")[1])
            self.cut("BODY", server)
        return "250 taken"


@pytest.mark.parametrize("step", ["EHLO", "MAIL", "RCPT", "DOT", "BODY"])
def test_a_real_server_that_breaks_off_loses_none(tmp_path, step):
    handler = Cutting(step, 10)
    with socket.create_server(("127.0.0.1", 0)) as free, SmtpServer() as other:
        port = free.getsockname()[1]
        relay = other.relay(port=port, tls="none", source=None)
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    office = Office(tmp_path, relay)
    try:
        for number in range(20):
            office.post(f"k{number}")
        office.until_still(most=2)
    finally:
        office.close()
        controller.stop()
    copies = Counter(handler.taken)
    assert handler.left == 0
    assert len(copies) == 20
    assert max(copies.values()) <= (2 if step == "BODY" else 1)


def post_before_and_after_the_clock_is_set_back(office):
    for letter, days in (("a", 1000), ("b", 1)):
        office.now = days * 24 * HOUR
        office.post(letter)
        office.turn()


@pytest.mark.parametrize("limit", [{"daily": 1}, {"rate": 1}], ids=["daily", "rate"])
def test_a_clock_that_is_set_back_holds_no_mail_for_as_long(tmp_path, server, limit):
    office = Office(tmp_path, server.relay(**limit))
    post_before_and_after_the_clock_is_set_back(office)
    assert office.states() == {"done": 2}
    office.close()


def test_a_refused_password_is_shown_again_when_the_clock_is_set_back(tmp_path, server):
    office = Office(tmp_path, server.relay(source=Changing()))
    post_before_and_after_the_clock_is_set_back(office)
    assert server.count("AUTH") == 2
    office.close()
