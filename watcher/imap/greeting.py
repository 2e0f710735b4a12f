"""From an endpoint to a connection on which TLS stands and the server has greeted us."""

from watcher.imap.dial import Endpoint, dial
from watcher.imap.tls import context, secure
from watcher.imap.wire import Wire

__all__ = ["greeted"]


def greeted(endpoint: Endpoint, deadline: float) -> Wire:
    """A connection on which TLS stands, before login."""
    trust = context(endpoint.ca_file, endpoint.identity)
    sock = dial(endpoint, deadline)
    try:
        if endpoint.tls == "implicit":
            sock = secure(sock, trust, endpoint.host, deadline)
        wire = Wire(sock, endpoint.host, endpoint.port, deadline)
    except BaseException:
        sock.close()
        raise
    try:
        if endpoint.tls == "starttls":
            wire.start_tls(trust)
    except BaseException:
        wire.shutdown()
        raise
    return wire
