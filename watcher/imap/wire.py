"""
The bytes of one connection, under imapclient: an `imaplib.IMAP4` with a buffer of its own.

imaplib reads through a file object whose buffer a selector can't see, waits for each read instead of each answer, and
keeps every untagged line. Here all bytes pass one buffer; a wait ends when the answer as a whole takes too long or
grows too big; and `Tidings` hears every line. What imaplib documents for overriding is overridden: open, read,
readline, send, shutdown.
"""

import contextlib
import imaplib
import re
import select
import socket
import ssl
import time
from functools import lru_cache
from typing import Any

from imapclient import IMAPClient

from watcher.errors import ServerUntrusted
from watcher.imap.deflate import Deflate
from watcher.imap.faults import Ended
from watcher.imap.landing import received
from watcher.imap.tidings import Tidings
from watcher.imap.tls import remember, secure

__all__ = ["Client", "Wire", "whole"]

#: Bytes an answer may have, beside the literals that were asked for: a SEARCH with a million UIDs.
ANSWER = 8 << 20

#: Bytes of one pushed line that are kept waiting for its end.
PIECE = 64 << 10

_BREAK = re.compile(rb"[\r\n\0]")
_LITERAL = re.compile(rb"\{(\d{1,10})\+?\}\r?\n\Z")


def whole(buffer: bytearray) -> int:
    """Length of the first whole response in `buffer`, its literals included; 0 while some of it is missing."""
    end = 0
    while newline := buffer.find(b"\n", end) + 1:
        literal = _LITERAL.search(buffer, max(end, newline - 32), newline)
        end = newline
        if literal is None:
            return end
        end += int(literal[1])
    return 0


@lru_cache(maxsize=256)
def _one_copy(listed: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], frozenset[str]]:
    """One copy of what a server can do, for all its links."""
    return listed, frozenset(word.decode("ascii", "replace").upper() for word in listed)


class Client(IMAPClient):  # type: ignore[misc]  # carries no types
    """imapclient's verbs on a wire that is there already."""

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        super().__init__(wire.host, wire.port)

    def _create_IMAP4(self) -> "Wire":  # noqa: N802 its hook
        return self._wire

    def settle(self) -> frozenset[str]:
        """What the server can do, in upper case, asked after login. Drops what was needed only to get here.

        Tens of thousands of these are parked.
        """
        self._cached_capabilities, capabilities = _one_copy(self._wire.abilities())
        self._wire.settle()
        return capabilities


class Shared:
    """An attribute that imaplib and imapclient set for each link, and that is the same for all."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __get__(self, _link: object, _class: type) -> Any:
        return self._value

    def __set__(self, _link: object, _value: object) -> None: ...


class Wire(imaplib.IMAP4):
    """One connection that has been greeted; see the module. Used by one thread at a time."""

    #: So few are left to imaplib's dictionary that Python shares its keys among all of these: 1 kB less for each.
    __slots__ = ("_buffer", "_deadline", "_deflate", "_rest", "_room", "heard_at", "tidings")

    #: imapclient sets 5, which makes fetching twice as slow and keeps passwords in memory.
    debug = Shared(0)

    #: imaplib would compile a pattern for each link, which `re` keeps: where links are made anew all the time, holes in
    #: the heap. It would also demand a text after the status, which servers leave out although RFC 9051 9 has it.
    tagpre = Shared(b"W")
    tagre = Shared(re.compile(rb"(?P<tag>(?:W|idle)\d+) (?P<type>[A-Z]+)(?: |\Z)(?P<data>.*)", re.ASCII))

    def __init__(self, sock: socket.socket, host: str, port: int, deadline: float) -> None:
        self.sock = sock
        self.tidings = Tidings()
        self.heard_at = time.monotonic()
        self._buffer = bytearray()
        self._rest = False  # the next line goes on after a literal
        self._deflate: Deflate | None = None
        self._deadline = deadline
        self._room = ANSWER
        super().__init__(host, port)

    # --- what imaplib calls ---

    def _log(self, line: str) -> None:
        """The memory imaplib has of the last ten lines, LOGIN among them, is not wanted."""

    _mesg = _log  # imapclient puts a logger there

    def _append_untagged(self, typ: str, dat: Any) -> None:
        """Keeps what somebody asks for; words for people, behind which no code is, may be many thousands."""
        if typ not in {"OK", "NO", "BAD"} or typ not in self.untagged_responses or dat.startswith(b"["):
            super()._append_untagged(typ, dat)  # type: ignore[misc]  # typeshed does not know it

    def _get_capabilities(self) -> None:
        """Asks only where the greeting has not told: a round trip less for each link."""
        self.capabilities = tuple(word.decode("ascii", "replace") for word in self.abilities())

    def open(self, host: str = "", port: int = 993, timeout: float | None = None) -> None:  # noqa: ARG002 its signature
        self.host, self.port = host, port

    def read(self, size: int) -> bytes:
        if size > len(self._buffer) + self._room:
            raise self.abort(f"the server wants to send {size} bytes that nobody asked for")
        while len(self._buffer) < size:
            self.fill()
        self._rest = True
        return self._taken(size)

    def readline(self) -> bytes:
        searched = 0
        while not (end := self._buffer.find(b"\n", searched) + 1):
            searched = len(self._buffer)
            self.fill()
        line = self._taken(end)
        if not self._rest:
            if _LITERAL.search(line) and b" FETCH " not in line[:20].upper():
                raise self.abort("the server sends a literal where none belongs")  # imaplib trips over it: TypeError
            self.tidings.take(line)
            if (told := self.tidings.reply) and told.status == "BYE" and self.state != "LOGOUT":
                raise Ended(told)  # imaplib would wait for more when it is in AUTHENTICATE
        self._rest = False
        return line

    def send(self, data: Any) -> None:
        """Sends a command line, or a piece of one; what slipped through all checks must not become a second command."""
        if _BREAK.search(data, 0, len(data) - 2 * data.endswith(b"\r\n")):
            raise ValueError("a command holds a line break or NUL")
        self.sock.settimeout(self._left())
        self.sock.sendall(self._deflate.pack(data) if self._deflate else data)

    def shutdown(self) -> None:
        self.sock.close()
        self._buffer = bytearray()

    # --- what a link calls ---

    def cut(self) -> None:
        """Ends the connection below TLS: SSLSocket.shutdown would drop the TLS object under a reader (RFC 8446 6.1)."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def expect(self, seconds: float, size: int = 0) -> None:
        """Starts the clock of the next answer: whole within `seconds`, with `size` bytes of literals at most."""
        self._deadline = time.monotonic() + seconds
        self._room = ANSWER + size
        self.tidings.reply = None

    def fill(self) -> None:
        """Waits for more bytes. OSError when there are none in time, or never will be."""
        self.sock.settimeout(self._left())
        self._keep(self._received())

    def await_bytes(self, seconds: float) -> None:
        """Waits so long for more bytes, and takes none."""
        soon = select.poll()
        soon.register(self.sock, select.POLLIN)
        soon.poll(seconds * 1000)

    def listen(self) -> bool:
        """Takes the bytes that have come, without waiting; False if there are none."""
        self.sock.settimeout(0)
        try:
            self._keep(self._received())
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return False
        return True

    def take(self) -> bytes | None:
        """The next whole response out of the buffer, its literals included; None if it has not come yet."""
        end = whole(self._buffer)
        if not end:
            if len(self._buffer) > PIECE:
                raise self.abort("the server sends a line without end")
            return None
        return self._taken(end)

    def start_tls(self, trust: ssl.SSLContext) -> None:
        """STARTTLS. What was said before TLS is forgotten (RFC 3501 6.2.1); ServerUntrusted if anything is odd."""
        self.ask_for_tls()
        self.sock = secure(self.sock, trust, self.host, self._deadline)
        self.untagged_responses.clear()
        self.tidings = Tidings()
        self._get_capabilities()

    def ask_for_tls(self) -> None:
        """The part of STARTTLS that is not TLS yet. ServerUntrusted if anything is odd."""
        if self.state != "NONAUTH":
            raise ServerUntrusted(f"{self.host} greets as already logged in (PREAUTH): that would skip TLS")
        if "STARTTLS" not in self.capabilities:
            raise ServerUntrusted(f"{self.host} does not offer STARTTLS, or somebody took it out: use tls = implicit")
        self._refuse_leftovers()
        try:
            status, _ = self.xatom("STARTTLS")
        except self.abort:
            raise
        except self.error:
            status = "BAD"
        if status != "OK":
            raise ServerUntrusted(f"{self.host} refuses STARTTLS ({self.tidings.reply}): use tls = implicit")
        self._refuse_leftovers()

    def compress(self) -> None:
        """From now on both sides compress: the server has agreed just now (RFC 4978 3)."""
        self._deflate = Deflate(self._taken(len(self._buffer)))

    def _refuse_leftovers(self) -> None:
        if self._buffer:
            raise ServerUntrusted(f"{self.host} sent something nobody asked for before TLS stood: somebody meddles")

    def abilities(self) -> tuple[bytes, ...]:
        """What the server can do: told unasked with the login, or else asked."""
        _, told = self.response("CAPABILITY")
        if told == [None]:
            _, told = self.capability()
        if not told or not isinstance(told[-1], bytes):
            raise self.abort("the server does not tell what it can do")
        return tuple(told[-1].upper().split())

    def settle(self) -> None:
        """Drops what imaplib keeps of the way here, and shares what all links can."""
        if isinstance(self.sock, ssl.SSLSocket):
            remember(self.sock)
        self.untagged_responses.clear()
        self.welcome = b""
        self.capabilities = ()
        self.mo = None

    # --- the buffer ---

    def _received(self) -> bytes:
        if self._deflate:
            return self._deflate.unpack(lambda: received(self.sock))
        return received(self.sock)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not come in time")
        return left

    def _keep(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        self._room -= len(data) or 1  # compressed, it may be nothing, for ever
        if self._room < 0:
            raise self.abort("the server's answer has no end")
        self._buffer += data

    def _taken(self, size: int) -> bytes:
        with memoryview(self._buffer) as everything, everything[:size] as first:
            data = bytes(first)
        if size == len(self._buffer):
            self._buffer = bytearray()  # gives the memory back: most links are parked most of the time
        else:
            del self._buffer[:size]
        return data
