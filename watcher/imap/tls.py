"""
TLS: one verifying context for each CA file and certificate of ours, and words for what is wrong with a server's. There
is no way around it. Who was verified is known again for a while.
"""

import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from watcher.errors import ServerUntrusted
from watcher.imap.identity import Identity, present
from watcher.printing import printable

__all__ = ["context", "remember", "secure"]

#: Seconds for which a server is known again by its ticket: then its certificate is looked at anew.
KNOWN = 3600.0

#: OpenSSL's verify codes (x509_vfy.h) that a person can do something about.
_CURES = {
    9: "it is not valid yet: check the clock of this machine",
    10: "it has expired: its operator must renew it, or the clock of this machine is wrong",
    18: "it is signed by itself: set ca_file to it, if it is yours",
    19: "its issuer is unknown here: set ca_file to the issuer's certificate",
    20: "its issuer is unknown here: set ca_file to the issuer's certificate",
    21: "its issuer is unknown here: set ca_file to the issuer's certificate",
    62: "it is for another name: set host to a name it was made for",
    64: "it is for another address: set host to a name it was made for",
}


def context(ca_file: Path | None = None, identity: Identity | None = None) -> ssl.SSLContext:
    """
    The context all links with this CA file, and this certificate of ours, share: verified, host name checked, TLS 1.2
    or newer. `ca_file` replaces the system's CAs; a file changed on disk is read anew.

    ServerUntrusted if `ca_file` can't be used, SecretUnavailable if `identity` can't.
    """
    ours = (identity.certificate, identity.key) if identity else ()
    try:
        return _context(ca_file, identity, tuple(map(_changed, (ca_file, *ours))))
    except (OSError, ssl.SSLError) as error:
        why = printable(str(error))
        raise ServerUntrusted(f"ca_file {ca_file}: no certificates can be read from it ({why})") from error


def _changed(file: Path | None) -> int:
    """When a file was last written, in nanoseconds; 0 if it is not there, which is told by who reads it."""
    try:
        return file.stat().st_mtime_ns if file else 0
    except OSError:
        return 0


@lru_cache(maxsize=256)
def _context(ca_file: Path | None, identity: Identity | None, _changed: tuple[int, ...]) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=ca_file)
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python would go lower
    if ca_file is not None:
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file may name the server's own certificate
    if identity is not None:
        present(made, identity)
    return made


@dataclass(slots=True)
class _Acquaintance:
    """What one server is known by, good for KNOWN seconds in one context."""

    since: float  #: unix time of the handshake in which it proved itself
    ticket: ssl.SSLSession | None  #: None if it did not help


@lru_cache(maxsize=256)
def _acquaintances(_trust: ssl.SSLContext) -> dict[str, _Acquaintance]:
    """By host."""
    return {}


def _known(trust: ssl.SSLContext, host: str) -> _Acquaintance | None:
    known = _acquaintances(trust).get(host)
    return known if known and 0 <= time.time() - known.since < KNOWN else None


def remember(sock: ssl.SSLSocket) -> None:
    """
    Keep what the server gave us to be known again by (RFC 8446 2.2), once it has had the time to. The next links to it
    are spared the certificates: half the work of a handshake.

    No host is asked for another one within KNOWN seconds, though most of Dovecot's take none back: before 3.12.8 and
    3.13.1 Python leaks 5 kB each time that `session` is read (python/cpython#116810).
    """
    host = str(sock.server_hostname)
    if not sock.session_reused and not _known(sock.context, host):
        _acquaintances(sock.context)[host] = _Acquaintance(time.time(), sock.session)


def secure(sock: socket.socket, trust: ssl.SSLContext, host: str, deadline: float) -> ssl.SSLSocket:
    """TLS over `sock`, whose life goes over to what is returned; `host` must be a name in the server's certificate.

    Raises ServerUntrusted if no trust comes about before `deadline` (monotonic seconds), OSError if the path broke.
    """
    sock.settimeout(max(0.001, deadline - time.monotonic()))
    try:
        return _shake_hands(sock, trust, host)
    except ssl.SSLCertVerificationError as error:
        cure = _CURES.get(error.verify_code, printable(error.verify_message))
        raise ServerUntrusted(f"the certificate of {host} can't be trusted: {cure}") from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise  # the path broke, nobody was found out
    except ssl.SSLError as error:
        why = error.reason or error
        raise ServerUntrusted(f"{host} does not answer with TLS 1.2 or newer ({why}): check port and tls") from error


def _shake_hands(sock: socket.socket, trust: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    known = _known(trust, host)
    try:
        return trust.wrap_socket(sock, server_hostname=host, session=known.ticket if known else None)
    except OSError:
        if known:
            known.ticket = None  # should that be the trouble, the next try does without
        raise
