"""The way to a link gone step by step, to see how each step does; and a mail handed in, to see it arrive."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from watcher.config.accounts import Account
from watcher.config.secret import Secret
from watcher.errors import ActionRefused
from watcher.imap.approach import credential_of, endpoint_of
from watcher.imap.chain import Certificate, Transport, shown, transport
from watcher.imap.dial import Endpoint, dial
from watcher.imap.faults import FOREIGN, lost
from watcher.imap.folders import folder_name
from watcher.imap.link import Link
from watcher.imap.login import introduce, login
from watcher.imap.names import addresses
from watcher.imap.refusals import Phase
from watcher.imap.signals import reply
from watcher.imap.tls import context, secure
from watcher.imap.wire import Client, Wire
from watcher.printing import printable

__all__ = ["Probe", "Trial"]


class Trial(Link):
    """A link that can also hand in a mail and take a folder away."""

    __slots__ = ()

    def append(self, folder: str, lines: Sequence[bytes]) -> None:
        """Puts a mail into `folder` (RFC 3501 6.3.11); each line with its CRLF. ActionRefused if that is not wanted."""
        name = folder_name(folder, ActionRefused).encode("ascii")
        with self._asking(ActionRefused, printable(folder)):
            # As IDLE: what we send waits for the server's consent, and an answer under our tag ends it. imaplib's own
            # APPEND sends all lines as one piece, which the wire refuses to.
            self._idles += 1
            tag = self._idle = b"append%d" % self._idles
            self._wire.send(b"%s APPEND %s {%d}\r\n" % (tag, name, sum(map(len, lines))))
            if self._consent():
                for line in (*lines, b"\r\n"):
                    self._wire.send(line)
                self._consent()
            told = self._wire.tidings.reply
            if told is None or told.status != "OK":
                raise self._wire.error("refused")

    def _consent(self) -> bool:
        """Waits for the server's consent, or for its last word on the matter."""
        consent = False
        while not consent and self._idle is not None:
            self._wire.fill()
            consent = self._heed_all()
        return consent

    def remove(self, folder: str) -> None:
        """Takes `folder` away with what is in it (RFC 3501 6.3.4). ActionRefused if the server does not want to."""
        folder_name(folder, ActionRefused)
        with self._asking(ActionRefused, printable(folder)):
            self._client.delete_folder(folder)


class Probe:
    """
    The steps to a link of `account`, in the order of the methods (STARTTLS: `greet` before `secure`). Each takes
    `timeout` seconds at most, and raises what `link.connect` does.
    """

    def __init__(self, account: Account, timeout: float) -> None:
        self.endpoint = endpoint_of(account)
        self.step = ""
        self._account = account
        self._timeout = timeout
        self._sock: Any = None
        self._wire: Wire | None = None

    def addresses(self) -> list[str]:
        """Of the server, or of the proxy, which then looks up the server."""
        target = self.endpoint.proxy or self.endpoint
        found = addresses(target.host, target.port, self._deadline)
        return list(dict.fromkeys(str(one.address[0]) for one in found))

    def reach(self, address: str) -> None:
        """Opens a TCP connection to one address of the server or proxy, and closes it."""
        target = self.endpoint.proxy or self.endpoint
        dial(Endpoint(address, target.port), self._deadline).close()

    def dial(self) -> None:
        """Opens the TCP connection that is kept, through the proxy if there is one."""
        self._sock = dial(self.endpoint, self._deadline)

    def secure(self) -> Transport:
        """Makes it TLS."""
        trust = context(self.endpoint.ca_file, self.endpoint.identity)
        with self._translated(Phase.GREETING):
            if self._wire is None:
                self._sock = secure(self._sock, trust, self.endpoint.host, self._deadline)
            else:
                self._wire.expect(self._timeout)
                self._wire.start_tls(trust)
                self._sock = self._wire.sock
        return transport(self._sock)

    def shown(self) -> tuple[Certificate, ...]:
        """What certificates the server shows to one who does not ask who issued them, on a connection of its own."""
        sock = dial(self.endpoint, self._deadline)
        with closing(sock), self._translated(Phase.GREETING):
            if self.endpoint.tls == "starttls":
                Wire(sock, self.endpoint.host, self.endpoint.port, self._deadline).ask_for_tls()
            return shown(sock, self.endpoint.host, self._deadline)

    def greet(self) -> str:
        """Hears the greeting; its words, printable."""
        with self._translated(Phase.GREETING):
            self._wire = Wire(self._sock, self.endpoint.host, self.endpoint.port, self._deadline)
        told = reply(self._wire.welcome)
        return str(told) if told else ""

    def capabilities(self) -> tuple[str, ...]:
        """What the server offers before login, in upper case."""
        assert self._wire is not None
        return tuple(printable(word) for word in self._wire.capabilities)

    def login(self, secret: Secret) -> Trial:
        """Logs in."""
        assert self._wire is not None
        account = self._account
        with self._translated(Phase.COMMAND):
            way = login(self._wire, credential_of(account, secret), account.profile, self._timeout)
            self._client = Client(self._wire)
            return Trial(self._client, self._wire, self._timeout, account.profile, way)

    def introduce(self) -> str:
        """Tells the server who we are where it offers that; what it says of itself, printable."""
        assert self._wire is not None
        self._wire.expect(self._timeout)
        with self._translated(Phase.COMMAND):
            told = introduce(self._client)
        self._wire.untagged_responses.clear()
        return " ".join(told[key] for key in ("name", "version") if told.get(key))

    def arrive(self) -> None:
        """All steps before login at once; `step` tells which one ran last."""
        to_tls = [("tls", self.secure), ("greeting", self.greet)]
        talk = to_tls if self.endpoint.tls == "implicit" else reversed(to_tls)
        steps: list[tuple[str, Callable[[], object]]] = [("dns", self.addresses), ("tcp", self.dial), *talk]
        for self.step, act in steps:
            act()

    def link(self, secret: Secret) -> Trial:
        """All steps at once."""
        try:
            self.arrive()
            link = self.login(secret)
            self.introduce()
        except BaseException:
            self.close()
            raise
        return link

    def close(self) -> None:
        """Closes what is open. Never raises."""
        if self._wire is not None:
            self._wire.shutdown()
        elif self._sock is not None:
            self._sock.close()

    @property
    def _deadline(self) -> float:
        return time.monotonic() + self._timeout

    @contextmanager
    def _translated(self, phase: Phase) -> Iterator[None]:
        try:
            yield
        except FOREIGN as error:
            raise lost(str(self.endpoint), error, profile=self._account.profile, phase=phase) from error
