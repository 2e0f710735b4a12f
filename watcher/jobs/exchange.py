"""
One HTTP request of a webhook and its answer: to an address that was checked before, and able to be cut off at any time.

`http.client` speaks HTTP over a connection that is made here. It is in a thread of its own, since there is no other way
to end a call that a server spins out byte by byte.
"""

import os
import select
import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from threading import Lock, Thread
from time import monotonic
from urllib.parse import SplitResult, urlsplit

from watcher.config.handlers import HandlerSettings
from watcher.config.webhooks import is_public
from watcher.errors import MailboxLost, WatcherError
from watcher.imap.dial import Endpoint, dial
from watcher.imap.names import addresses
from watcher.imap.tls import context, secure
from watcher.jobs.parcel import Parcel
from watcher.jobs.program import CannotStart

__all__ = ["ANSWER_LIMIT", "Answer", "CallFailed", "Cut", "post"]

CONNECTING = 10.0  #: seconds to look up the name, connect and agree on TLS
ONE_OF_SEVERAL = 2.0  #: seconds for one address while there are others
FAREWELL = 2.0  #: seconds that a call which was cut off may take to end
ANSWER_LIMIT = 256 * 1024  #: bytes of an answer that are read


class CallFailed(WatcherError):
    """No answer came, for a reason that may pass."""


class Cut(WatcherError):
    """The call was cut off, because the daemon stops."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    words: str  #: after the status, as sent
    body: bytes  #: at most one byte more than `ANSWER_LIMIT`
    type: str = ""  #: of the body, in lower case, without parameters
    location: str = ""  #: where it sends us
    retry_after: str = ""  #: when it wants us back


def post(settings: HandlerSettings, headers: Mapping[str, str], parcel: Parcel, stop: int) -> Answer:
    """
    Send `parcel` to the webhook of `settings`. It is cut off when its time is up, or when `stop` becomes readable.

    Raises CallFailed, Cut, CannotStart if it leads where it may not, ServerUntrusted, SecretUnavailable for the
    password of a proxy.
    """
    call = _Call(settings, headers, parcel)
    call.start()
    return call.answer(stop)


class _Call(Thread):
    def __init__(self, settings: HandlerSettings, headers: Mapping[str, str], parcel: Parcel) -> None:
        assert settings.url is not None
        super().__init__(name="webhook", daemon=True)
        self._settings = settings
        self._url = urlsplit(settings.url)
        self._headers = headers
        self._parcel = parcel
        self._due = monotonic() + settings.timeout
        self._lock = Lock()
        self._abandoned = False
        self._link: socket.socket | None = None  # a second handle of the connection, to cut it off by
        self._came: Answer | None = None
        self._failure: Exception | None = None
        self._over, self._ending = os.pipe()  # the writing end is the thread's to close

    def answer(self, stop: int) -> Answer:
        """Wait for the end of it."""
        poller = select.poll()
        for fd in (self._over, stop):
            poller.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poller.poll(max(0.0, self._due - monotonic()) * 1000)}
        os.close(self._over)
        if not ready or self._over not in ready:
            self._abandon()
            self.join(FAREWELL)  # if it hangs in the resolver, it ends with that and does nothing more
            raise Cut("interrupted") if ready else CallFailed(f"no whole answer within {self._settings.timeout:g} s")
        self.join()
        if self._came is None:
            assert self._failure is not None
            raise self._failure
        return self._came

    def run(self) -> None:
        try:
            with closing(self._connect()) as sock:
                self._came = self._exchange(sock)
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for it
            self._failure = error
        finally:
            with self._lock:
                if self._link is not None:
                    self._link.close()
                self._link = None
                self._abandoned = True
            os.close(self._ending)

    def _abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            if self._link is not None:
                with suppress(OSError):  # it may be over by now
                    self._link.shutdown(socket.SHUT_RDWR)

    # --- the connection ---------------------------------------------------------------------------------------------

    def _connect(self) -> socket.socket:
        """A connection to an address that may be talked to, in TLS if the URL says so."""
        deadline = min(self._due, monotonic() + CONNECTING)
        host = self._url.hostname or ""
        sock = self._reach(host, deadline)
        try:
            self._keep_handle(sock)
            if self._url.scheme == "https":
                sock = secure(sock, context(self._settings.ca_file), host, deadline)
        except OSError as error:
            sock.close()
            raise CallFailed(f"{host}: {error.strerror or error}") from error
        except BaseException:
            sock.close()
            raise
        return sock

    def _keep_handle(self, sock: socket.socket) -> None:
        with self._lock:
            if self._abandoned:  # nobody waits any more, so nothing may be sent
                raise CallFailed("cut off")
            self._link = sock.dup()

    def _reach(self, host: str, deadline: float) -> socket.socket:
        """The name is looked up once, and what was found is checked and then connected to: no second answer counts."""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        proxy = self._settings.proxy.towards(host) if self._settings.proxy else None
        try:
            found = [str(one.address[0]) for one in addresses(host, port, deadline)]
            allowed = [one for one in found if self._settings.allow_private or is_public(one)]
            if not allowed:
                raise CannotStart(
                    f"{host} has no public address (it is {', '.join(found)}); allow_private = true permits that"
                )
            for place, address in enumerate(allowed, 1):
                last = place == len(allowed)
                until = deadline if last else min(deadline, monotonic() + ONE_OF_SEVERAL)
                try:
                    return dial(Endpoint(address, port, proxy=proxy), until)
                except MailboxLost:
                    if last:
                        raise
        except MailboxLost as error:
            raise CallFailed(f"{host}: {error}") from error
        raise AssertionError("the last address is tried or fails")

    # --- the request ------------------------------------------------------------------------------------------------

    def _exchange(self, sock: socket.socket) -> Answer:
        sock.settimeout(max(0.001, self._due - monotonic()))
        http = _http(self._url, sock)
        try:
            http.putrequest("POST", _target(self._url), skip_accept_encoding=True)
            for name, value in {**self._headers, "Content-Length": str(self._parcel.size())}.items():
                http.putheader(name, value)
            http.endheaders()
            self._send(http)
            with http.getresponse() as response:
                return _read(response)
        except TimeoutError as error:
            raise CallFailed(f"no whole answer within {self._settings.timeout:g} s") from error
        except (OSError, HTTPException, ValueError) as error:  # the last one: of a chunk with less than no bytes
            raise CallFailed(f"it gave no whole answer: {str(error) or type(error).__name__}") from error

    def _send(self, http: HTTPConnection) -> None:
        """A server may answer before it has heard all, and hang up: what it said is then to be read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in self._parcel.pieces():
                http.send(piece)


def _http(url: SplitResult, sock: socket.socket) -> HTTPConnection:
    http = HTTPConnection(url.hostname or "", url.port)
    http.default_port = 443 if url.scheme == "https" else 80  # else the Host field would name it
    http.auto_open = 0  # never a connection of its own making
    http.sock = sock
    return http


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _read(response: HTTPResponse) -> Answer:
    body = response.read(ANSWER_LIMIT + 1)
    if response.length and len(body) <= ANSWER_LIMIT:
        raise IncompleteRead(body, response.length)
    fields = response.headers
    kind = str(fields.get("Content-Type", "")).partition(";")[0].strip().lower()
    location, again = str(fields.get("Location", "")), str(fields.get("Retry-After", ""))
    return Answer(response.status, response.reason, body, kind, location, again)
