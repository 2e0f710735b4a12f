"""
Through a proxy: SOCKS5 (RFC 1928, 1929) or HTTP CONNECT (RFC 9110 9.3.6). The proxy looks up the name of the server.

Spoken here, since a library (python-socks was weighed) opens the connection itself, without our care for dead addresses
and slow peers, and takes the first bytes of an HTTP answer for all of it.
"""

import base64
import ipaddress
import re
import socket
import time
from collections.abc import Callable

from watcher.config.proxies import Proxy
from watcher.errors import MailboxLost
from watcher.printing import printable

__all__ = ["tunnel"]

#: Bytes that the header of an HTTP answer may have.
HEADER = 16 << 10

#: RFC 1928 6.
_REPLIES = {
    1: "it failed",
    2: "its rules forbid that",
    3: "the network can't be reached",
    4: "the host can't be reached",
    5: "the server refused the connection",
    6: "the host is too far away",
    7: "it connects nobody",
    8: "it knows no such addresses",
}


def tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int, deadline: float) -> None:
    """
    Has `proxy`, at the other end of `sock`, connect us to `host`. What the server says is left in `sock`.

    Raises MailboxLost if it does not before `deadline` (monotonic seconds); SecretUnavailable.
    """
    user = proxy.user.encode()
    secret = proxy.password.fetch().reveal().encode() if proxy.password else b""

    def timed() -> socket.socket:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        return sock

    try:
        speak = _connect if proxy.scheme == "http" else _socks
        speak(timed, user, secret, host if host.isascii() else host.encode("idna").decode("ascii"), port)
    except (_RefusedError, UnicodeError) as error:
        raise MailboxLost(f"the proxy {proxy} does not connect us to {host}:{port}: {error}") from error
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or error
        raise MailboxLost(f"the proxy {proxy}: {why}") from error


class _RefusedError(Exception):
    """The proxy does not want to, or does not speak as it should."""


Timed = Callable[[], socket.socket]  #: the socket, with what is left of the time as its timeout


def _socks(timed: Timed, user: bytes, secret: bytes, host: str, port: int) -> None:
    if max(len(user), len(secret), len(host)) > 255:
        raise _RefusedError("SOCKS5 carries no name, user or password of more than 255 bytes")
    timed().sendall(b"\5\2\0\2" if user else b"\5\1\0")
    version, method = _exactly(timed, 2)
    if version != 5:
        raise _RefusedError("it does not speak SOCKS5")
    if method == 2 and user:
        timed().sendall(b"\1" + _counted(user) + _counted(secret))
        if _exactly(timed, 2)[1] != 0:
            raise _RefusedError("its user or password is wrong")
    elif method != 0:
        raise _RefusedError("it wants no login by user and password" if user else "it wants a user and a password")
    timed().sendall(b"\5\1\0" + _destination(host) + port.to_bytes(2, "big"))
    _, reply, _, kind = _exactly(timed, 4)
    if reply != 0:
        raise _RefusedError(_REPLIES.get(reply, f"reply {reply}"))
    _exactly(timed, {1: 4, 4: 16}.get(kind) or _exactly(timed, 1)[0])  # where it connects from, of no use
    _exactly(timed, 2)


def _destination(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b"\3" + _counted(host.encode("ascii"))
    return (b"\1" if address.version == 4 else b"\4") + address.packed


def _counted(text: bytes) -> bytes:
    return len(text).to_bytes(1, "big") + text


def _connect(timed: Timed, user: bytes, secret: bytes, host: str, port: int) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    login = base64.b64encode(user + b":" + secret) if user else b""
    lines = [f"CONNECT {target} HTTP/1.1".encode(), f"Host: {target}".encode()]
    lines += [b"Proxy-Authorization: Basic " + login] if login else []
    timed().sendall(b"\r\n".join([*lines, b"", b""]))
    status, _, _ = _header(timed).partition(b"\r\n")
    told = re.fullmatch(rb"HTTP/1\.[01] (\d{3})(?: (.*))?", status)
    if told is None:
        raise _RefusedError("it does not speak HTTP")
    if told[1] in {b"407", b"401"}:  # tinyproxy says 401 to a wrong password
        raise _RefusedError("its user or password is wrong" if user else "it wants a user and a password")
    if not told[1].startswith(b"2"):
        raise _RefusedError(printable(status.partition(b" ")[2]))


def _header(timed: Timed) -> bytes:
    """An HTTP header, and not one byte more: what follows is the server's."""
    header = b""
    while not header.endswith(b"\r\n\r\n"):
        waiting = timed().recv(HEADER - len(header), socket.MSG_PEEK)
        end = (header + waiting).find(b"\r\n\r\n")
        header += _exactly(timed, len(waiting) if end < 0 else end + 4 - len(header))
        if not waiting or len(header) >= HEADER:
            raise _RefusedError("it does not speak HTTP")
    return header


def _exactly(timed: Timed, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = timed().recv(size - len(data))
        if not more:
            raise _RefusedError("it closed the connection")
        data += more
    return data
