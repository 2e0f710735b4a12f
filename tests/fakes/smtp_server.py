"""
A scripted SMTP server over real sockets and TLS. User "me" has the password PASSWORD and the token "token".

    with SmtpServer() as server:
        session = Session(server.relay(), Talk())
        session.deliver(parcel)
        assert server.mails[0].data == b"..."

Misbehaviour is scripted by step, for the next `times`:

    server.on("RCPT", b"450 4.2.1 later\\r\\n")  # in place of the honest answer
    server.on("BODY", CUT)                        # the mail is taken, the link is cut before the answer
    server.on("DOT", CUT)                         # the link is cut before the mail is taken
    server.on("MAIL", daemon.kill)                # this is called, then the link is cut

Steps: GREETING, EHLO, STARTTLS, TLS, AUTH, MAIL, RCPT, DATA, DOT, BODY, RSET, QUIT.
"""

import base64
import contextlib
import re
import socket
import ssl
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.imap_server import authority
from watcher.config.providers import profile_for
from watcher.config.secret import PlainSource, Secret
from watcher.config.smtp import Relay
from watcher.model import Address

CUT = object()
PASSWORD = "c4n4ry-Pa55wort!"  #: is to be seen nowhere but on the wire
ENDED = OSError("cut by script")


@dataclass(frozen=True)
class Taken:
    sender: str
    recipients: tuple[str, ...]
    data: bytes  #: as sent, without the stuffing
    raw: bytes  #: as on the wire, up to the final dot
    parameters: str = ""  #: of MAIL FROM


class SmtpServer:
    """See the module."""

    def __init__(self, *, tls="implicit", features=("SIZE 10000000", "8BITMIME", "SMTPUTF8"), auth="PLAIN LOGIN"):
        self.tls, self.features, self.auth = tls, list(features), auth
        self.mails: list[Taken] = []
        self.lines: list[str] = []
        self.connections = 0
        self.password = PASSWORD
        self.cut_first = ""  #: step at which the link is cut for the first copy of each mail: DOT or BODY
        self.seen: set[bytes] = set()
        self._script: deque[tuple[str, object]] = deque()
        self._lock = threading.Lock()
        self._directory = tempfile.TemporaryDirectory(prefix="smtp-")
        self.ca_file = Path(self._directory.name, "ca.pem")
        authority().cert_pem.write_to_path(str(self.ca_file))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority().issue_cert("localhost", "127.0.0.1").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="fake-smtp-server", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._directory.cleanup()

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        if self._thread.is_alive():
            self._thread.join(30)

    def drop(self):
        """Cut all connections."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def on(self, step, answer, times=1):
        with self._lock:
            self._script.extend([(step, answer)] * times)

    def count(self, verb):
        with self._lock:
            return sum(line.upper().startswith(verb) for line in self.lines)

    def relay(self, **other) -> Relay:
        given = {
            "name": "out",
            "sender": Address("", "ann@example.com"),
            "host": "127.0.0.1",
            "port": self.port,
            "tls": self.tls,
            "user": "me",
            "source": PlainSource(Secret(self.password)),
            "ca_file": self.ca_file,
            "profile": profile_for("ann@example.com"),
        }
        return Relay(**{**given, **other})

    # --- inside ---

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        talk = Talk(self, sock)
        with contextlib.suppress(OSError, ValueError):
            try:
                self._step("TLS", b"", lambda _: None)
                talk.run()
            finally:
                with self._lock:
                    self._open.discard(talk.sock)
                if talk.file:
                    talk.file.close()
                talk.sock.close()
                sock.close()

    def _step(self, step, honest, send):
        """Answer as scripted, or honestly; raises OSError to cut."""
        with self._lock:
            scripted = next((one for one in self._script if one[0] == step), None)
            if scripted:
                self._script.remove(scripted)
        if scripted is None:
            send(honest)
            return True
        if scripted[1] is CUT:
            raise ENDED
        if callable(scripted[1]):
            scripted[1]()
            raise ENDED
        send(scripted[1])
        return False


class Talk:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.file = None
        self.sender, self.recipients, self.parameters = None, [], ""
        self.safe = False

    def run(self):
        if self.server.tls == "implicit":
            self.wrap()
        else:
            self.file = self.sock.makefile("rb")
        self.step("GREETING", b"220 fake ESMTP\r\n")
        while line := self.file.readline(10_000):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            with self.server._lock:
                self.server.lines.append(text)
            verb = text.partition(" ")[0].upper()
            getattr(self, f"do_{verb.lower()}", self.do_unknown)(text)
            if verb == "QUIT":
                return

    def wrap(self):
        old = self.sock
        self.sock = self.server._context.wrap_socket(old, server_side=True)
        with self.server._lock:
            self.server._open.discard(old)
            self.server._open.add(self.sock)
        self.file = self.sock.makefile("rb")
        self.safe = True

    def step(self, step, honest):
        return self.server._step(step, honest, self.sock.sendall)

    def do_unknown(self, _):
        self.sock.sendall(b"500 5.5.1 unknown\r\n")

    def do_ehlo(self, _):
        features = list(self.server.features)
        if self.server.tls == "starttls" and not self.safe:
            features.append("STARTTLS")
        elif self.server.auth:
            features.append(f"AUTH {self.server.auth}")
        lines = ["fake", *features]
        marks = ["-"] * (len(lines) - 1) + [" "]
        rows = (f"250{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True))
        self.step("EHLO", "".join(rows).encode())

    def do_starttls(self, _):
        if self.step("STARTTLS", b"220 go\r\n"):
            self.wrap()

    def ask(self, challenge=b""):
        self.sock.sendall(b"334 " + base64.b64encode(challenge) + b"\r\n")
        line = self.file.readline(20_000).decode().strip()
        with self.server._lock:
            self.server.lines.append(line)
        return base64.b64decode(line)

    def do_auth(self, text):
        _, name, *first = text.split(" ")
        given = base64.b64decode(first[0]) if first else None
        secret = self.server.password.encode()
        if name == "PLAIN":
            good = (given or self.ask()) == b"\0me\0" + secret
        elif name == "LOGIN":
            good = (self.ask(b"Username:"), self.ask(b"Password:")) == (b"me", secret)
        elif name == "XOAUTH2":
            good = (given or self.ask()) == b"user=me\1auth=Bearer token\1\1"
            if not good:
                self.ask(b'{"status":"401"}')
        else:
            good = False
        self.step("AUTH", b"235 2.7.0 in\r\n" if good else b"535 5.7.8 Error: authentication failed\r\n")

    def do_mail(self, text):
        found = re.fullmatch(r"MAIL FROM:<([^>]*)>(.*)", text)
        if self.step("MAIL", b"250 2.1.0 ok\r\n" if found else b"501 5.5.2 syntax\r\n"):
            self.sender, self.recipients, self.parameters = found[1], [], found[2]

    def do_rcpt(self, text):
        found = re.fullmatch(r"RCPT TO:<([^>]+)>", text)
        if self.step("RCPT", b"250 2.1.5 ok\r\n" if found else b"501 5.5.2 syntax\r\n"):
            self.recipients.append(found[1])

    def do_data(self, _):
        if not self.step("DATA", b"354 go\r\n"):
            return
        lines = []
        while (line := self.file.readline(100_000)) != b".\r\n":
            if not line:
                raise ENDED
            lines.append(line)
        first = b"".join(lines) not in self.server.seen
        self.server.seen.add(b"".join(lines))
        if first and self.server.cut_first == "DOT":
            raise ENDED
        self.step("DOT", b"")
        raw = b"".join(lines)
        data = b"".join(line[1:] if line.startswith(b".") else line for line in lines)
        taken = Taken(self.sender, tuple(self.recipients), data, raw, self.parameters)
        with self.server._lock:
            scripted = next((answer for step, answer in self.server._script if step == "BODY"), CUT)
            if scripted is CUT or callable(scripted) or scripted.startswith(b"2"):
                self.server.mails.append(taken)
        if first and self.server.cut_first == "BODY":
            raise ENDED
        self.step("BODY", b"250 2.0.0 taken\r\n")

    def do_rset(self, _):
        self.step("RSET", b"250 2.0.0 ok\r\n")

    def do_quit(self, _):
        self.step("QUIT", b"221 2.0.0 bye\r\n")
