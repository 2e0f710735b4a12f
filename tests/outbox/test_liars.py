"""Relays that lie, flood, trickle and fall out of step: what they say ends the dialogue, and never counts as taken."""

import contextlib
import select
import socket
import threading
import tracemalloc

import pytest

from watcher.config.secret import PlainSource, Secret
from watcher.config.smtp import Relay
from watcher.errors import ServerUntrusted, WatcherError
from watcher.outbox.parcel import Parcel
from watcher.outbox.send import Patience, Refused, Session
from watcher.outbox.signals import Trouble
from watcher.outbox.talk import KEPT, Talk
from watcher.outbox.wire import Cut

HONEST = {
    "GREETING": b"220 hello\r\n",
    "EHLO": b"250-liar\r\n250-AUTH PLAIN\r\n250 SIZE 9999999\r\n",
    "AUTH": b"235 in\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go\r\n",
    ".": b"250 taken\r\n",
    "RSET": b"250 ok\r\n",
    "QUIT": b"221 bye\r\n",
}
PATIENCE = Patience(connect=20, greeting=20, command=20, block=20, end=20)
LINES = b"Subject: Hi\r\n\r\n" + b"Hello, here is a line of text.\r\n" * 20_000


class Liar:
    """A relay on this machine that answers each command by what `answers` say, or honestly."""

    def __init__(self, answers):
        self.answers = {**HONEST, **answers}
        self.heard = []
        self.deaf = False  #: reads nothing after 354
        self.last = ""  #: after its answer to this the connection breaks
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(30)

    def serve(self):
        with contextlib.suppress(OSError):
            sock, _ = self.listener.accept()
            self.sock = sock
            with sock, sock.makefile("rb") as lines:
                sock.settimeout(30)
                sock.sendall(self.answers["GREETING"])
                self.talk(sock, lines)

    def talk(self, sock, lines):
        within = False
        for line in lines:
            word = line.strip().partition(b" ")[0].decode("latin-1").upper()
            if within and word != ".":
                continue
            self.heard.append(word)
            answer = self.answers.get(word, self.answers.get("OTHER", b"500 what?\r\n"))
            for piece in answer if isinstance(answer, tuple) else (answer,):
                sock.sendall(piece)
            if word == self.last:
                return
            within = word == "DATA" and answer.startswith(b"354")
            if within and self.deaf:
                self.over.wait(60)

    def relay(self, **other):
        source = PlainSource(Secret("canary-Pa55wort!"))
        return Relay(
            **{
                "name": "out",
                "sender": None,
                "host": "127.0.0.1",
                "port": self.listener.getsockname()[1],
                "tls": "none",
                "user": "me",
                "source": source,
                **other,
            }
        )


def deliver(liar, tmp_path, patience=PATIENCE, data=b"Subject: Hi\r\n\r\nHello\r\n", past=lambda _: None, **other):
    (tmp_path / "message.eml").write_bytes(data)
    talk = Talk()
    session = Session(liar.relay(**other), talk, patience)
    try:
        session.open()
        parcel = Parcel("a@example.com", ("b@example.org",), tmp_path / "message.eml")
        return session.deliver(parcel, lambda: past(session))
    finally:
        session.close()
        assert len(talk.lines) <= KEPT + 1
        assert talk.text().replace("\n", "").isprintable()
        assert "canary" not in talk.text()


def test_an_honest_one_takes_it(tmp_path):
    with Liar({}) as liar:
        assert deliver(liar, tmp_path) == {"b@example.org": None}
        assert liar.heard[-1] == "QUIT"


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    "nonsense",
    [
        b"x" * 65536 + b"\r\n",
        b"250-" + b"y" * 65536 + b"\r\n",
        b"250-more\r\n" * 5000,
        b"\0\0\0\0\r\n",
        b"2\xb25 hm\r\n",
        b"999 \x1b[2J\r\n",
        b"000 \r\n",
        b"199 wait\r\n",
        b"\r\n\r\n",
    ],
    ids=["line", "multiline", "lines", "nul", "digits", "999", "000", "199", "empty"],
)
def test_nonsense_at_any_step_is_no_yes(tmp_path, step, nonsense):
    with Liar({step: nonsense}) as liar:
        try:
            told = deliver(liar, tmp_path)["b@example.org"]
        except (Cut, Refused) as error:
            told = error
        assert told is not None
        assert str(told).isprintable()


@pytest.mark.parametrize("answer", [b"250 ok\r\n250 taken\r\n", b"250 ok\r\n354 go\r\n250 taken\r\n"])
@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
def test_answers_ahead_of_the_questions_are_not_taken_for_those(tmp_path, step, answer):
    with Liar({step: answer, ".": b"554 no\r\n"}) as liar, pytest.raises(Cut, match="not asked"):
        deliver(liar, tmp_path)


def test_a_yes_before_the_mail_was_sent_is_none(tmp_path):
    with Liar({"DATA": b"354 go\r\n250 taken\r\n", ".": b"554 no\r\n"}) as liar:
        with pytest.raises(Cut, match="not asked") as cut:
            deliver(liar, tmp_path)
        assert not cut.value.doubt
        assert "." not in liar.heard


def test_a_refusal_in_the_midst_of_a_mail_is_heard_and_nothing_is_said_into_the_mail(tmp_path):
    with Liar({"DATA": b"354 go\r\n552 5.3.4 too big for me\r\n"}) as liar:
        with pytest.raises(Refused) as refusal:
            deliver(liar, tmp_path, data=LINES)
        assert refusal.value.signal.trouble is Trouble.SIZE
        liar.thread.join(30)
        assert liar.heard[-1] == "DATA"


def test_a_refusal_in_the_last_moment_is_heard_and_nothing_is_said_into_the_mail(tmp_path):
    """It comes while it is written down that the dot follows: the dot is not sent, so the mail has no end."""

    def late(session):
        liar.sock.sendall(b"552 5.3.4 too big for me\r\n")
        assert select.select([session.wire.sock], [], [], 30)[0]
        sessions.append(session)

    sessions = []
    with Liar({}) as liar:
        with pytest.raises(Refused) as refusal:
            deliver(liar, tmp_path, past=late)
        assert refusal.value.signal.trouble is Trouble.SIZE
        assert sessions[0].talk.lines[-1] == "S: 552 5.3.4 too big for me"


def test_a_login_without_end_ends(tmp_path):
    with Liar({"AUTH": b"334 \r\n", "OTHER": b"334 \r\n"}) as liar:
        with pytest.raises(Refused) as refusal:
            deliver(liar, tmp_path)
        assert refusal.value.signal.trouble is Trouble.AUTH
        assert len(liar.heard) < 20


def test_yes_to_data_is_no_invitation_and_an_invitation_is_no_yes(tmp_path):
    with Liar({"DATA": b"250 ok\r\n"}) as liar, pytest.raises(Refused):
        deliver(liar, tmp_path)
    with Liar({"RCPT": b"354 go\r\n"}) as liar:
        assert deliver(liar, tmp_path)["b@example.org"] is not None
        assert "DATA" not in liar.heard


def test_an_answer_byte_by_byte_gets_no_more_time_than_another(tmp_path):
    gate = threading.Event()

    class Slowly(tuple):
        __slots__ = ()

        def __iter__(self):
            while not gate.wait(0.05):
                yield b"2"

    with Liar({"MAIL": Slowly()}) as liar:
        with pytest.raises(Cut, match="no answer in time"):
            deliver(liar, tmp_path, Patience(command=0.5))
        gate.set()


@pytest.mark.parametrize(
    "offer",
    [b"SIZE x", b"SIZE 99999999999999999999", b"SIZE " + b"9" * 5000, b"SIZE", b"SIZE -1", b"\xff\xfe", b"AUTH"],
    ids=["word", "vast", "beyond int", "none", "negative", "bytes", "auth"],
)
def test_odd_offers_do_no_harm(tmp_path, offer):
    with Liar({"EHLO": b"250-liar\r\n250-" + offer + b"\r\n250 AUTH PLAIN\r\n"}) as liar:
        assert deliver(liar, tmp_path) == {"b@example.org": None}


def test_no_login_is_shown_to_who_offers_none(tmp_path):
    with Liar({"EHLO": b"250 liar\r\n"}) as liar:
        with pytest.raises(Refused, match="no login"):
            deliver(liar, tmp_path)
        assert "AUTH" not in liar.heard


def test_without_tls_another_machine_is_not_spoken_to(tmp_path):
    with Liar({}) as liar, pytest.raises(ServerUntrusted, match="STARTTLS"):
        deliver(liar, tmp_path, tls="starttls")


class Endless(tuple):
    """Pieces that never end."""

    __slots__ = ()

    def __iter__(self):
        while True:
            yield b"220-" + b"z" * 4000 + b"\r\n"


def test_a_greeting_without_end_ends_and_costs_no_memory(tmp_path):
    with Liar({}) as liar:
        liar.answers["EHLO"] = Endless()
        tracemalloc.start()
        try:
            with pytest.raises(Cut, match="without end"):
                deliver(liar, tmp_path)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5", "XOAUTH2"])
@pytest.mark.parametrize(
    "challenge", [b"334 \xff\xfe!\r\n", b"334 a\r\n", b"334\r\n", b"334 " + b"QUFB" * 900 + b"\r\n"]
)
def test_a_challenge_that_is_none_ends_the_login_and_gives_nothing_away(tmp_path, mechanism, challenge):
    offer = f"250-liar\r\n250 AUTH {mechanism}\r\n".encode()
    with Liar({"EHLO": offer, "AUTH": challenge, "OTHER": b"535 no\r\n"}) as liar:
        with pytest.raises((Cut, Refused, WatcherError)):
            deliver(liar, tmp_path)
        assert "MAIL" not in liar.heard


def test_silence_after_the_invitation_ends_in_time_and_is_no_doubt(tmp_path):
    """It takes nothing of the mail either, so that sending itself comes to a stop."""
    with Liar({"EHLO": b"250-liar\r\n250 AUTH PLAIN\r\n"}) as liar:
        liar.deaf = True
        with pytest.raises(Cut, match="no answer in time") as cut:
            deliver(liar, tmp_path, Patience(command=20, block=0.5), LINES * 30)
        assert not cut.value.doubt


def test_a_yes_after_which_the_connection_breaks_is_a_yes(tmp_path):
    with Liar({}) as liar:
        liar.last = "."
        assert deliver(liar, tmp_path) == {"b@example.org": None}
        assert "QUIT" not in liar.heard
