"""
A proxy between a client and an IMAP server, on which the line can be broken in 16 ways at 9 points of the talk.

    with Dovecot() as server, FaultProxy(server.port, server.authority) as proxy:
        ...                                       # the client talks to proxy.host, proxy.port
        proxy.arm(Fault.BLACK_HOLE, Phase.FETCH)  # the next link that is in the middle of a mail goes dead
        until(lambda: proxy.struck, 30, "the fault")
        proxy.heal()                              # new links pass again; the dead one stays dead

It ends the client's TLS by hand, with a certificate of `authority`, and opens TLS of its own to the server. So a fault
can touch what is said (`* BYE`, a tagged NO) as well as the bytes on the wire (a flipped bit, one byte at a time).

While it is armed, every link that comes to the phase is struck: as the server begins to answer the command of that
phase, which it has done by then. CONNECT is before the first byte, TLS after the ClientHello, IDLE from the consent on,
FETCH in the middle of a literal (a fault in words can't stand there: it comes in place of the answer). Faults of the
way to the host (refused, unreachable, no name, wrong certificate) reset the link that is struck, and from then on hold
for every new one.

`names` and `name` are for the faults of the way that need a name. `struck` counts, `connects` tells when links came.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import time
from collections.abc import Callable
from enum import StrEnum, auto
from threading import Thread
from typing import NoReturn, Self

import trustme

from tests.fakes.names import NOWHERE, Names

__all__ = ["Fault", "FaultProxy", "Phase"]


class Fault(StrEnum):
    """What goes wrong."""

    BLACK_HOLE = auto()  #: not a byte more is read or written, and the socket stays open, for ever
    RST = auto()
    FIN = auto()
    REFUSED = auto()  #: nobody listens
    UNREACHABLE = auto()  #: no route to the host
    NO_NAME = auto()  #: DNS does not know the host
    LATENCY = auto()  #: all that the server says comes 2 s later
    SLOW = auto()  #: 64 kbit/s
    TRICKLE = auto()  #: one byte at a time
    CUT = auto()  #: FIN after a few bytes more
    FLIP = auto()  #: one bit of the next bytes is another one
    ALERT = auto()  #: a fatal TLS alert
    CERTIFICATE = auto()  #: one for another host
    BYE = auto()
    REFUSAL = auto()  #: a tagged NO in place of the answer
    ENDLESS = auto()  #: untagged lines, one after the other, for ever, and no answer


class Phase(StrEnum):
    """Where it goes wrong."""

    CONNECT = auto()
    TLS = auto()
    GREETING = auto()
    LOGIN = auto()
    SELECT = auto()  #: or EXAMINE
    IDLE = auto()
    FETCH = auto()
    STORE = auto()
    LOGOUT = auto()


COMMANDS = {
    b"LOGIN": Phase.LOGIN,
    b"AUTHENTICATE": Phase.LOGIN,
    b"SELECT": Phase.SELECT,
    b"EXAMINE": Phase.SELECT,
    b"IDLE": Phase.IDLE,
    b"UID FETCH": Phase.FETCH,
    b"UID STORE": Phase.STORE,
    b"LOGOUT": Phase.LOGOUT,
}
OF_THE_WAY = {Fault.REFUSED, Fault.UNREACHABLE, Fault.NO_NAME, Fault.CERTIFICATE}
IN_WORDS = {Fault.BYE, Fault.REFUSAL, Fault.ENDLESS}

CHUNK = 1 << 16
DELAY = 2.0  #: seconds, of LATENCY
RATE = 8000  #: bytes a second, of SLOW
CUT_AFTER = 20  #: bytes on the wire: within a TLS record, however short
NO_LINGER = struct.pack("ii", 1, 0)  #: SO_LINGER on, for no time: closing sends RST (socket(7))
HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"  #: an alert in the clear, as before keys are agreed on (RFC 8446 6)
NONSENSE = b"\x17\x03\x03\x00\x20" + bytes(32)  #: a TLS record that no key has made
NOISE = b"* OK The line is fine, thank you\r\n"
LITERAL = re.compile(rb"\{\d+\}\r\n")


class FaultProxy:
    """See the module. A context manager, in a thread of its own."""

    def __init__(
        self,
        server_port: int,
        authority: trustme.CA,
        host: str = "127.0.0.1",
        *,
        name: str = "",
        names: Names | None = None,
    ) -> None:
        """`host`: address to listen on. `name`: of the certificate, if it is another one; `names` then point there."""
        self.host, self.name = host, name or host
        self.fault: Fault | None = None
        self.phase: Phase | None = None
        self.struck = 0  #: times a fault has struck since it was armed
        self.connects: list[float] = []  #: monotonic seconds
        self.links: set[Link] = set()
        self._names = names
        self._server_port = server_port
        self._trust = ssl.create_default_context()
        authority.configure_trust(self._trust)
        self._right, self._wrong = _context(authority, self.name), _context(authority, "elsewhere.test")
        # Bound and never listening, it keeps the port for us while nobody listens there.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind((host, 0))
        self.port: int = self._place.getsockname()[1]
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []  # bugs of the proxy itself
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=f"fault proxy {self.name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open_the_way)
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._place.close()
        if self._failures:
            raise self._failures[0]

    # --- what a test does -------------------------------------------------------------------------------------------

    def arm(self, fault: Fault, phase: Phase) -> None:
        """From now on `fault` strikes every link that is in `phase`, now or later."""
        self._do(lambda: self._arm(fault, phase))

    def heal(self) -> None:
        """The end of all faults: new links pass, slow ones are quick again. What is dead or babbles stays so."""
        self._do(self._heal)

    def drop(self) -> None:
        """Reset all links."""
        self._do(lambda: [link.reset() for link in self.links])

    # --- in its thread ----------------------------------------------------------------------------------------------

    def _do(self, what: Callable[[], object]) -> None:
        async def run() -> None:
            what()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def _arm(self, fault: Fault, phase: Phase) -> None:
        self.fault, self.phase, self.struck = fault, phase, 0
        if phase is Phase.CONNECT and fault in OF_THE_WAY:
            self.obstruct(fault)
        for link in self.links:
            if phase is Phase.IDLE and link.idling:
                self._begin(link.strike_in_idle())

    def _heal(self) -> None:
        self.fault = self.phase = None
        self._open_the_way()
        for link in self.links:
            link.fault = None

    def _open_the_way(self) -> None:
        if self._names:
            self._names.point(self.name, self.host)
        if self._listener is None:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((self.host, self.port))
            sock.listen(1024)
            self._begin(self._listen(sock))

    async def _listen(self, sock: socket.socket) -> None:
        self._listener = await asyncio.start_server(self._serve, sock=sock)

    def obstruct(self, fault: Fault) -> None:
        """The way is closed to new links."""
        self.struck += 1
        if fault is Fault.REFUSED and self._listener:
            self._listener.close()
            self._listener = None
        if fault in {Fault.UNREACHABLE, Fault.NO_NAME}:
            assert self._names, f"{fault} takes names"
            self._names.point(self.name, NOWHERE if fault is Fault.UNREACHABLE else None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects.append(time.monotonic())
        fooled = self.fault is Fault.CERTIFICATE and self.struck > 0
        link = Link(self, self._wrong if fooled else self._right, reader, writer)
        link.spared = fooled
        self.links.add(link)
        self._begin(self._attend(link))

    async def _attend(self, link: "Link") -> None:
        # The end of a link is nothing special here, whoever ended it.
        with contextlib.suppress(OSError, EOFError):
            try:
                await link.run()
            finally:
                self.links.discard(link)
                await link.close()

    async def reach_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._server_port, ssl=self._trust)

    def _begin(self, work) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failures.append(error)

    async def _end(self) -> None:
        if self._listener:
            self._listener.close()
        for link in self.links:
            link.writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Link:
    """One link through the proxy."""

    def __init__(
        self,
        proxy: FaultProxy,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.proxy = proxy
        self.reader, self.writer = reader, writer
        self.server: asyncio.StreamWriter | None = None
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes, server_side=True)
        self.secure = False  #: the handshake is done
        self.phase: Phase | None = None  #: of the answer that is to come
        self.idling = False
        self.spared = False  #: it has a wrong certificate: that is enough
        self.tag = b"*"
        self.muted = b""  #: tag of a command whose answer is swallowed
        self.fault: Fault | None = None  #: of the wire, that has struck
        self.left = CUT_AFTER
        self.dark = False
        self.turn = asyncio.Lock()  #: of writing to the client

    async def run(self) -> None:
        await self.come_to(Phase.CONNECT)
        self.came.write(await self.take())
        await self.come_to(Phase.TLS)
        await self.shake_hands()
        self.phase = Phase.GREETING
        reader, self.server = await self.proxy.reach_server()
        both = [asyncio.ensure_future(self.commands()), asyncio.ensure_future(self.answers(reader))]
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for way in ended:
                way.result()
        finally:
            for way in both:
                way.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def come_to(self, phase: Phase) -> None:
        """A phase before the talk."""
        if self.proxy.phase is phase and not self.spared:
            await self.strike(b"")
            if self.proxy.fault in IN_WORDS:
                raise ConnectionError("said all that can be said without TLS")

    async def shake_hands(self) -> None:
        while not self.secure:
            try:
                self.tls.do_handshake()
                self.secure = True
            except ssl.SSLWantReadError:
                await self.put(self.goes.read())
                self.came.write(await self.take())
        await self.put(self.goes.read())

    # --- client to server -------------------------------------------------------------------------------------------

    async def commands(self) -> None:
        line = b""
        while True:
            while data := self.read():
                *lines, line = (line + data).split(b"\r\n")
                for command in lines:
                    self.heed(command)
                self.server.write(data)
                await self.server.drain()
            self.came.write(await self.take())

    async def take(self) -> bytes:
        """Raw bytes of the client."""
        data = await self.reader.read(CHUNK)
        if self.dark:
            await self.rest()
        if not data:
            raise EOFError
        return data

    def read(self) -> bytes:
        """What the client says, if it is all there."""
        try:
            return self.tls.read(CHUNK)
        except ssl.SSLWantReadError:
            return b""

    def heed(self, line: bytes) -> None:
        words = line.upper().split(b" ", 3)
        verb = b" ".join(words[1:3]) if words[1:2] == [b"UID"] else b"".join(words[1:2])
        self.phase, self.idling = COMMANDS.get(verb), False
        if verb:
            self.tag = line.partition(b" ")[0]

    # --- server to client -------------------------------------------------------------------------------------------

    async def answers(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            async with self.turn:
                phase, where = self.phase, self.point(data)
                if where is not None:
                    self.idling = phase is Phase.IDLE
                    self.phase = None
                    if phase is self.proxy.phase and not self.spared:
                        await self.say(data[:where])
                        data = await self.strike(data[where:])
                await self.say(data)

    def point(self, data: bytes) -> int | None:
        """Where in the server's answer the present phase is; None if it is not in this part of it."""
        match self.phase:
            case None:
                return None
            case Phase.IDLE:
                return len(data) if b"+ " in data else None
            case Phase.FETCH if self.proxy.fault not in IN_WORDS:
                found = LITERAL.search(data)
                return (found.end() + len(data)) // 2 if found else None
        return 0

    async def say(self, data: bytes) -> None:
        """To the client: in TLS, once that stands."""
        if self.muted:
            end = re.search(rb"(?:^|\r\n)" + re.escape(self.muted) + rb" [^\n]*\n", data, re.IGNORECASE)
            data, self.muted = (data[end.end() :], b"") if end else (b"", self.muted)
        if self.secure and data:
            self.tls.write(data)
            data = self.goes.read()
        await self.put(data)

    async def put(self, raw: bytes) -> None:
        """Bytes on the wire, as the fault of the wire lets them through."""
        if not raw:
            return
        match self.fault:
            case Fault.LATENCY:
                await asyncio.sleep(DELAY)
            case Fault.FLIP:
                raw, self.fault = raw[:-1] + bytes([raw[-1] ^ 1]), None
            case Fault.CUT:
                raw, self.left = raw[: self.left], self.left - len(raw)
        step = {Fault.SLOW: RATE // 10, Fault.TRICKLE: 1}.get(self.fault, CHUNK)
        for start in range(0, len(raw), step):
            self.writer.write(raw[start : start + step])
            await self.writer.drain()
            await asyncio.sleep(0.1 if self.fault is Fault.SLOW else 0)
        if self.left <= 0:
            raise ConnectionError("cut")

    # --- the faults -------------------------------------------------------------------------------------------------

    async def strike_in_idle(self) -> None:
        with contextlib.suppress(OSError):
            try:
                async with self.turn:
                    await self.strike(b"")
            except OSError:
                await self.close()

    async def strike(self, answer: bytes) -> bytes:
        """The fault is here, where `answer` was to be said; what is still to be said of it. OSError ends the link."""
        fault = self.proxy.fault
        if fault in OF_THE_WAY:
            self.proxy.obstruct(fault)
        else:
            self.proxy.struck += 1
        match fault:
            case Fault.BLACK_HOLE:
                await self.go_dark()
            case Fault.RST | Fault.REFUSED | Fault.UNREACHABLE | Fault.NO_NAME | Fault.CERTIFICATE:
                self.reset()
                raise ConnectionError(fault)
            case Fault.FIN:
                raise ConnectionError(fault)
            case Fault.ALERT:
                await self.put(self.alert())
                raise ConnectionError(fault)
            case Fault.BYE:
                await self.say(b"* BYE the proxy says so\r\n")
                raise ConnectionError(fault)
            case Fault.REFUSAL:
                await self.say(self.tag + b" NO [UNAVAILABLE] not now\r\n")
                self.muted = self.tag
            case Fault.ENDLESS:
                while True:
                    await self.say(NOISE * 100)
                    await asyncio.sleep(0.05)
            case _:
                self.fault, self.left = fault, CUT_AFTER
        return answer

    async def go_dark(self) -> NoReturn:
        self.dark = True
        self.writer.transport.pause_reading()
        await self.rest()

    async def rest(self) -> NoReturn:
        """Nothing more happens on this link until the proxy ends."""
        await asyncio.Event().wait()
        raise AssertionError

    def alert(self) -> bytes:
        """A fatal alert; under keys it takes OpenSSL itself to make one, so that is fed nonsense."""
        if not self.secure:
            return HANDSHAKE_FAILURE
        self.came.write(NONSENSE)
        with contextlib.suppress(ssl.SSLError):
            self.tls.read(CHUNK)
        return self.goes.read()

    def reset(self) -> None:
        """RST to the client."""
        sock = self.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):  # closed by the client meanwhile
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.writer.transport.abort()

    async def close(self) -> None:
        """FIN to both, unless they are gone."""
        for writer in filter(None, (self.writer, self.server)):
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    return made
