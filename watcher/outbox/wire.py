"""
Lines to and from an SMTP server, in limited time and memory, each taken down.

The only place that knows smtplib, and of it only the commands and the list of extensions: its own ways to connect, log
in and send data verify nothing, know no tokens and hold a whole mail in memory.
"""

import ipaddress
import smtplib
import socket
import time

from watcher.config.masking import mask
from watcher.errors import WatcherError
from watcher.outbox.signals import Reply, reply
from watcher.outbox.talk import Talk
from watcher.printing import printable

__all__ = ["Cut", "Wire", "is_loopback", "literal"]

LINE = 4096  #: bytes of one line of a reply; RFC 5321 4.5.3.1.5 allows 512
LINES = 200  #: of one reply


class Cut(WatcherError):
    """The dialogue broke off. `doubt`: after the final dot was sent, so the mail may have been taken."""

    def __init__(self, text: str, *, doubt: bool = False) -> None:
        super().__init__(text)
        self.doubt = doubt


class Wire(smtplib.SMTP):
    """One connection. Whatever breaks it raises Cut; a line break within a command is a bug, and a ValueError."""

    def __init__(self, sock: socket.socket, name: str, where: str, talk: Talk) -> None:
        """`name`: ours, for EHLO; `where`: the server, for messages."""
        super().__init__(local_hostname=name)
        self.sock: socket.socket = sock
        self.where = where
        self.talk = talk
        self.rest = b""  #: received and not yet read
        self.limit = 0.0  #: when a reply must be there, monotonic seconds

    def ask(self, line: str, patience: float) -> Reply:
        """One command and its reply, within `patience` seconds."""
        return self.early(patience) or self.say(line, patience)

    def say(self, line: str, patience: float) -> Reply:
        """The same, whatever came before it."""
        self.limit = time.monotonic() + patience
        return reply(*self.docmd(line))

    def listen(self, patience: float) -> Reply:
        """A reply to nothing that was said: the greeting."""
        self.limit = time.monotonic() + patience
        return reply(*self.getreply())

    def greet(self, patience: float) -> Reply:
        """EHLO, after which the extensions are known (`has_extn`)."""
        self.limit = time.monotonic() + patience
        return reply(*self.ehlo())

    def early(self, patience: float) -> Reply | None:
        """
        A refusal that came before anything was asked: 421 of a server that closes (RFC 5321 3.8), or one in the midst
        of a mail.

        Any other answer without a question raises Cut: were it taken for the answer to what comes next, a mail could
        count as taken that was refused.
        """
        if not self.rest:
            try:
                self.sock.settimeout(0)
                self.rest = self.sock.recv(LINE)
            except OSError:  # nothing is there, or what is wrong shows at the next command
                return None
        if not self.rest:
            return None
        told = self.listen(patience)
        if told.code < 400:
            raise Cut(f"{self.where}: the server answers what it was not asked: {told}")
        return told

    # --- what smtplib builds on -------------------------------------------------------------------------------------

    def send(self, s: object) -> None:
        """A whole line, as smtplib puts it together."""
        data = s.encode("utf-8") if isinstance(s, str) else s
        assert isinstance(data, bytes)
        self.talk.client(data.decode("utf-8", "backslashreplace"))
        self.transmit(data, max(0.001, self.limit - time.monotonic()))

    def getreply(self) -> tuple[int, bytes]:
        """Code and lines without it."""
        told: list[bytes] = []
        while len(told) < LINES:
            line = self.line()
            self.talk.server(line.decode("utf-8", "backslashreplace"))
            told.append(line[4:])
            if not line[:3].isdigit() or line[3:4] not in {b"-", b" ", b""}:
                said = printable(mask(line.decode("utf-8", "backslashreplace")), 80)
                raise Cut(f"{self.where}: the server does not speak SMTP: {said}")
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(told)
        raise Cut(f"{self.where}: a reply without end")

    def line(self) -> bytes:
        while b"\n" not in self.rest:
            if len(self.rest) > LINE:
                raise Cut(f"{self.where}: a line without end")
            try:
                self.sock.settimeout(max(0.001, self.limit - time.monotonic()))
                more = self.sock.recv(LINE)
            except OSError as error:
                raise self.cut(error) from error
            if not more:
                self.talk.note("the server closed the connection")
                raise Cut(f"{self.where}: the server closed the connection")
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")

    def transmit(self, data: bytes, patience: float) -> None:
        try:
            self.sock.settimeout(patience)
            self.sock.sendall(data)
        except OSError as error:
            raise self.cut(error) from error

    def cut(self, error: OSError) -> Cut:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        self.talk.note(why)
        return Cut(f"{self.where}: {why}")


def literal(sock: socket.socket) -> str:
    """Our address as a name for EHLO (RFC 5321 4.1.3, 4.1.4)."""
    address = sock.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getpeername()[0]).is_loopback
