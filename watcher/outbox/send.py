"""One connection to a relay (RFC 5321, 6409, 8314): inside TLS, logged in, used for any number of mails."""

import base64
import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from watcher.config.masking import mask
from watcher.config.secret import Secret
from watcher.config.smtp import Relay
from watcher.errors import ServerUntrusted, WatcherError
from watcher.imap.dial import Endpoint, dial
from watcher.imap.identity import Identity
from watcher.imap.sasl import Credential, Proof, mechanisms
from watcher.imap.tls import context, secure
from watcher.model import Verdict
from watcher.outbox.login import decoded, login_by
from watcher.outbox.parcel import Parcel, is_ascii, stuffed
from watcher.outbox.signals import Phase, Reply, Signal, Trouble, meaning
from watcher.outbox.talk import Talk
from watcher.outbox.wire import Cut, Wire, is_loopback, literal
from watcher.printing import printable

__all__ = ["USUAL", "Patience", "Refused", "Session"]

CHALLENGES = 8  #: of one login; the longest mechanism has two
INLINE = 480  #: bytes of a first AUTH message that go along with the command (RFC 4954 4)
GOOD = range(200, 300)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait; RFC 5321 4.5.3.2 asks for minutes, and for ten of them after the final dot."""

    connect: float = 30.0
    greeting: float = 120.0
    command: float = 120.0
    block: float = 180.0
    end: float = 600.0


USUAL = Patience()


class Refused(WatcherError):
    """The server answered, and said no."""

    def __init__(self, where: str, told: Reply, signal: Signal) -> None:
        super().__init__(f"{where}: {str(told).rstrip('.')}; {signal.words}")
        self.told = told
        self.signal = signal


class Session:
    """A connection to a relay. One thread at a time; `abort` may be called by any."""

    def __init__(self, relay: Relay, talk: Talk, patience: Patience = USUAL, way: str = "") -> None:
        """`way`: the mechanism by which this user got in before."""
        self.relay = relay
        self.way = way
        self.talk = talk
        self.patience = patience
        self.wire: Wire  #: since `open`
        self.line: socket.socket  #: since `open`: the bare connection, which `abort` finds in the midst of TLS as well
        self.opened = False
        self.name = ""  #: as the server calls itself in its greeting
        self.secret: Secret | None = None  #: that was shown
        self.ended = False  #: by `abort`
        self.closed = False
        self.amid = False  #: within a mail, where any command would be taken for a part of it
        self.answered: dict[str, Refused | None] = {}  #: recipients of the last mail who were answered
        identity = Identity(relay.certificate, relay.key) if relay.certificate else None
        proxy = relay.proxy.towards(relay.host) if relay.proxy else None
        self.endpoint = Endpoint(relay.host, relay.port, ca_file=relay.ca_file, identity=identity, proxy=proxy)

    def open(self) -> None:
        """
        Connect and log in.

        Raises Refused, Cut, MailboxLost, ServerUntrusted, SecretUnavailable, and LoginRefused of a token store.
        """
        tls = self.relay.tls
        self.talk.note(f"connect to {self.endpoint}, {tls if tls != 'none' else 'no'} TLS")
        sock = dial(self.endpoint, time.monotonic() + self.patience.connect)
        self.wire = Wire(sock, self.relay.hello or literal(sock), str(self.endpoint), self.talk)
        self.line = sock.dup()
        self.opened = True
        if self.ended:  # by `abort`, which found no socket yet
            self.abort()
        try:
            if tls == "implicit":
                self.wire.sock = self.secured(sock)
            self.greet()
        except BaseException:
            self.hang_up()
            raise

    def secured(self, sock: socket.socket) -> socket.socket:
        deadline = time.monotonic() + self.patience.connect
        try:
            safe = secure(sock, context(self.relay.ca_file, self.endpoint.identity), self.relay.host, deadline)
        except OSError as error:
            raise Cut(f"{self.endpoint}: the connection broke while TLS was set up: {error}") from error
        self.talk.note(f"TLS stands: {safe.version()}")
        return safe

    def greet(self) -> None:
        """Greeting, EHLO, STARTTLS, login."""
        greeting = self.wire.listen(self.patience.greeting)
        self.check(Phase.GREETING, greeting)
        self.name = greeting.text.partition(" ")[0]
        self.hello()
        if self.relay.tls == "starttls":
            self.start_tls()
            self.hello()
        elif self.relay.tls == "none" and not is_loopback(self.wire.sock):
            raise ServerUntrusted(f"{self.endpoint}: without TLS only a server on this machine is spoken to")
        if self.relay.source is not None:
            self.log_in()

    def hello(self) -> None:
        self.check(Phase.HELLO, self.wire.greet(self.patience.command))

    def start_tls(self) -> None:
        if not self.wire.has_extn("starttls"):
            raise ServerUntrusted(f"{self.endpoint} offers no STARTTLS: check port and tls; nothing was sent")
        self.command(Phase.STARTTLS, "STARTTLS")
        if self.wire.rest:  # spoken before TLS, and to be taken for the server's within it (CVE-2021-38084 and others)
            raise ServerUntrusted(f"{self.endpoint} sent something between STARTTLS and TLS: somebody may be meddling")
        self.wire.sock = self.secured(self.wire.sock)

    # --- login ------------------------------------------------------------------------------------------------------

    def log_in(self) -> None:
        """By the best mechanism that both know (RFC 4954)."""
        assert self.relay.source is not None
        self.secret = secret = self.relay.source.fetch()
        proof = Proof.TOKEN if self.relay.token else Proof.PASSWORD
        credential = Credential(self.relay.user, secret, proof, self.way)
        offered = self.wire.esmtp_features.get("auth", "").upper().split()
        capabilities = [f"AUTH={name}" for name in offered] + ([] if "LOGIN" in offered else ["LOGINDISABLED"])
        ways = mechanisms(capabilities, self.relay.profile, credential)
        if not ways:
            words = f"it offers {' '.join(map(printable, offered)) or 'no login'}"
            raise self.refused(Phase.AUTH, Reply(504, "5.5.4", f"no way to log in: {words}"), Trouble.AUTH)
        try:
            self.way = self.prove_by(ways, credential)
        except Refused as refusal:
            if refusal.signal.refuses_secret:
                self.relay.source.reject(secret)
            raise

    def prove_by(self, ways: Sequence[str], credential: Credential) -> str:
        """The first of them; after a refused SCRAM, which says little about the password, PLAIN: see imap/login.py."""
        try:
            self.prove(ways[0], credential)
        except Refused as refusal:
            if ways[:2] != ("SCRAM-SHA-256", "PLAIN") or not refusal.signal.refuses_secret:
                raise
            self.prove("PLAIN", credential)
            return "PLAIN"
        return ways[0]

    def prove(self, name: str, credential: Credential) -> None:
        way = login_by(name, credential)
        first = b"" if name == "LOGIN" else way.answer(b"")
        inline = bool(first) and len(first) * 4 // 3 < INLINE
        told = self.wire.ask(f"AUTH {name} {self.encoded(first)}" if inline else f"AUTH {name}", self.patience.command)
        if told.code == 334 and first and not inline:
            told = self.wire.ask(self.encoded(first), self.patience.command)
        for _ in range(CHALLENGES):
            if told.code != 334:
                break
            told = self.wire.ask(self.encoded(way.answer(decoded(told.text))), self.patience.command)
        self.check(Phase.AUTH, told)
        way.accepted()

    def encoded(self, message: bytes) -> str:
        text = base64.b64encode(message).decode("ascii")
        self.talk.hide(text)
        return text

    # --- mails ------------------------------------------------------------------------------------------------------

    def deliver(self, parcel: Parcel, past: Callable[[], None] = lambda: None) -> dict[str, Refused | None]:
        """
        Hand one mail over; for each recipient None if the server takes it for him, else why not.

        `past` is called when all but the final dot is sent: what breaks after it leaves a doubt. Raises Refused for
        what concerns all recipients, Cut.
        """
        self.answered = {}
        self.command(Phase.MAIL, " ".join([f"MAIL FROM:<{parcel.sender}>", *self.parameters(parcel)]))
        self.answered = results = {}
        for recipient in parcel.recipients:
            told = self.wire.ask(f"RCPT TO:<{recipient}>", self.patience.command)
            results[recipient] = None if told.good else self.refused(Phase.RCPT, told)
            if told.code == 421:
                raise self.refused(Phase.RCPT, told)
        if any(result is None for result in results.values()):
            self.hand_over(parcel, past)
        else:
            self.command(Phase.MAIL, "RSET")
        return results

    def parameters(self, parcel: Parcel) -> Iterator[str]:
        """Of MAIL FROM: SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531). Raises Refused."""
        if self.wire.has_extn("size"):
            most = self.wire.esmtp_features["size"]
            if len(most) <= 20 and most.isdecimal() and 0 < int(most) < parcel.size:  # RFC 1870 3
                words = f"the mail has {parcel.size} bytes, the relay takes {most}"
                raise self.refused(Phase.MAIL, Reply(552, "5.3.4", words), Trouble.SIZE)
            yield f"SIZE={parcel.size}"
        plain_head, plain = is_ascii(parcel.file)
        if not plain and self.wire.has_extn("8bitmime"):
            yield "BODY=8BITMIME"
        if not (plain_head and (parcel.sender + "".join(parcel.recipients)).isascii()):
            if not self.wire.has_extn("smtputf8"):
                words = "an address or a field is not ASCII, and the relay can't take that (no SMTPUTF8)"
                raise self.refused(Phase.MAIL, Reply(550, "5.6.7", words), Trouble.CONTENT)
            yield "SMTPUTF8"

    def hand_over(self, parcel: Parcel, past: Callable[[], None]) -> None:
        self.command(Phase.DATA, "DATA", good=(354,))
        self.amid = True
        for block in stuffed(parcel):
            self.heed()
            self.wire.transmit(block, self.patience.block)
        self.heed()
        self.talk.client(f"[{parcel.size} bytes of mail]")
        past()
        self.heed()  # else a refusal that came meanwhile would count as the answer to a dot that was never sent
        try:
            told = self.wire.say(".", self.patience.end)
        except Cut as cut:
            raise Cut(f"{cut}, after the final dot: the mail may have arrived", doubt=True) from cut
        self.amid = False
        self.check(Phase.BODY, told)

    def heed(self) -> None:
        """Raises Refused if the server wants no more of the mail."""
        if told := self.wire.early(self.patience.command):
            raise self.refused(Phase.BODY, told)

    # --- the talk ---------------------------------------------------------------------------------------------------

    def command(self, phase: Phase, line: str, good: Sequence[int] = GOOD) -> Reply:
        told = self.wire.ask(line, self.patience.command)
        self.check(phase, told, good)
        return told

    def check(self, phase: Phase, told: Reply, good: Sequence[int] = GOOD) -> None:
        if told.code not in good:
            raise self.refused(phase, told)

    def refused(self, phase: Phase, told: Reply, trouble: Trouble | None = None) -> Refused:
        told = replace(told, text=mask(told.text))  # some servers repeat what they were shown
        signal = meaning(told, phase, self.relay.profile, self.relay.advice)
        if trouble is not None and trouble is not signal.trouble:
            verdict = Verdict.HOLD if trouble is Trouble.AUTH else Verdict.NEVER
            signal = replace(signal, trouble=trouble, verdict=verdict)
        return Refused(str(self.endpoint), told, signal)

    def alive(self) -> bool:
        """Whether the server still answers; what was begun is forgotten."""
        try:
            return not self.amid and self.command(Phase.MAIL, "RSET").good
        except (Cut, Refused):
            return False

    def resume(self, talk: Talk) -> None:
        """Take down what follows in another dialogue."""
        talk.hidden += self.talk.hidden
        talk.note(f"go on with the connection to {self.endpoint}")
        self.talk = self.wire.talk = talk

    def abort(self) -> None:
        """Cut it, from another thread; what is under way on it breaks off."""
        self.ended = True
        if self.opened:
            with contextlib.suppress(OSError):
                self.line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """With a goodbye for which nobody waits long. Safe to call twice."""
        if not self.opened or self.closed:
            return
        try:
            with contextlib.suppress(Cut):
                if not self.amid:
                    self.wire.ask("QUIT", 2.0)
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        self.closed = True
        self.wire.close()
        self.line.close()
