"""The certificates that a server shows, taken apart for people to read."""

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from watcher.printing import printable

__all__ = ["Certificate", "Transport", "shown", "transport"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of a chain. All text is printable."""

    subject: str  #: its common name, or the first name it was made for
    issuer: str
    names: tuple[str, ...]  #: hosts it was made for
    begins: datetime  #: in UTC; not valid before
    expires: datetime  #: in UTC; not valid after


@dataclass(frozen=True, slots=True)
class Transport:
    """TLS that stands: the chain was verified, and the name of the host checked."""

    version: str  #: such as "TLSv1.3"
    chain: tuple[Certificate, ...]  #: the server's own first, the authority we trust last


def transport(sock: ssl.SSLSocket) -> Transport:
    """What stands."""
    return Transport(str(sock.version()), _chain(_tls(sock).get_verified_chain()))


def shown(sock: socket.socket, host: str, deadline: float) -> tuple[Certificate, ...]:
    """
    What a server shows that can't be trusted, its own certificate first; nothing is said to it. Closes `sock`.

    Raises OSError, also when nothing like TLS comes before `deadline` (monotonic seconds).
    """
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE  # to look, and to hang up
    with sock:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        with looking.wrap_socket(sock, server_hostname=host) as secured:
            return _chain(_tls(secured).get_unverified_chain())


def _tls(sock: ssl.SSLSocket) -> Any:
    return sock._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 its chains are public since Python 3.13, as DER


def _chain(links: Sequence[Any] | None) -> tuple[Certificate, ...]:
    return tuple(_certificate(link.get_info()) for link in links or ())


def _certificate(told: dict[str, Any]) -> Certificate:
    names = tuple(printable(name) for _, name in told.get("subjectAltName", ()))
    subject, issuer = (_common_name(told.get(key, ())) for key in ("subject", "issuer"))
    begins, expires = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(told[key]), UTC) for key in ("notBefore", "notAfter")
    )
    return Certificate(subject or (names[0] if names else "?"), issuer or "?", names, begins, expires)


def _common_name(name: Any) -> str:
    """The common name within a distinguished one, or what stands there in its place."""
    parts = {key: value for relative in name for key, value in relative}
    return printable(
        next((parts[key] for key in ("commonName", "organizationName", "organizationalUnitName") if key in parts), "")
    )
