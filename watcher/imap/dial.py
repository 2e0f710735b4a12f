"""Opening a TCP connection that can't hang: an address gets its share of the time, the kernel finds a dead peer."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from watcher.errors import MailboxLost

__all__ = ["Endpoint", "dial"]

#: Seconds for one address when there are more: a dead IPv6 route must not use up the time of all.
ONE_OF_SEVERAL = 3.0

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
    """Where a server listens, and whom to trust there."""

    host: str
    port: int
    tls: Literal["implicit", "starttls"] = "implicit"
    ca_file: Path | None = None  #: in place of the CAs of the system

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def dial(endpoint: Endpoint, deadline: float) -> socket.socket:
    """A connected socket to the first address of the host that answers before `deadline` (monotonic seconds).

    Raises MailboxLost, saying what the last address said.
    """
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise MailboxLost(f"the name {endpoint.host} can't be resolved ({error}): offline, or misspelt") from error
    failure: OSError = TimeoutError("timed out")
    for family, kind, protocol, _name, address in found:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            for level, option, value in _OPTIONS:
                sock.setsockopt(level, option, value)
            sock.settimeout(left if len(found) == 1 else min(left, ONE_OF_SEVERAL))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise MailboxLost(f"can't connect to {endpoint}: {failure.strerror or failure}") from failure
