"""Opening a TCP connection that can't hang: an address gets its share of the time, the kernel finds a dead peer."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from watcher.config.proxies import Proxy
from watcher.errors import MailboxLost
from watcher.imap.identity import Identity
from watcher.imap.names import addresses
from watcher.imap.tunnel import tunnel

__all__ = ["Endpoint", "dial"]

#: Seconds for one address while there are others: a dead IPv6 route must not use up the time of all.
ONE_OF_SEVERAL = 2.0

_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),  # else each command waits for a delayed ACK
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 90_000),  # ms; also ends a write to a peer that is gone
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens, how to get there, whom to trust there, and what to show."""

    host: str
    port: int
    tls: Literal["implicit", "starttls"] = "implicit"
    ca_file: Path | None = None  #: in place of the CAs of the system
    identity: Identity | None = None  #: our own certificate
    proxy: Proxy | None = None  #: looks up `host` and connects us
    compress: bool = False  #: what is said after login, if the server can do that

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" + (f" through {self.proxy}" if self.proxy else "")


def dial(endpoint: Endpoint, deadline: float) -> socket.socket:
    """
    A connected socket, through the proxy if there is one, before `deadline` (monotonic seconds).

    Raises MailboxLost, SecretUnavailable if the password for the proxy can't be had.
    """
    proxy = endpoint.proxy
    if proxy is None:
        return _reach(str(endpoint), endpoint.host, endpoint.port, deadline)
    sock = _reach(f"the proxy {proxy}", proxy.host, proxy.port, deadline)
    try:
        tunnel(sock, proxy, endpoint.host, endpoint.port, deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def _reach(what: str, host: str, port: int, deadline: float) -> socket.socket:
    """Connects to the first address of the host that answers; MailboxLost says what the last one said."""
    failure: OSError = TimeoutError("timed out")
    found = addresses(host, port, deadline)
    for others, (family, kind, protocol, _name, address) in zip(reversed(range(len(found))), found, strict=True):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            for level, option, value in _OPTIONS:
                sock.setsockopt(level, option, value)
            sock.settimeout(min(left, ONE_OF_SEVERAL) if others else left)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise MailboxLost(f"can't connect to {what}: {failure.strerror or failure}") from failure
