"""
Those that a crowd of idle mailboxes is compared with, each a process with one epoll loop that keeps nothing and parses
nothing: bare TLS sockets, which is the floor, and imapclient at its best (imaplib's debug off, no Nagle).

`python -m tests.bench.crowds KIND PORT CA_FILE FILE USERS` watches so many mailboxes, and appends to FILE a line for
each mail, its X-Case and when it was there. It ends with its input.
"""

import re
import select
import socket
import ssl
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from imapclient import IMAPClient

__all__ = ["BARE", "IMAPCLIENT", "KINDS"]

BARE, IMAPCLIENT = "raw epoll floor", "imapclient epoll loop"

_CASE = re.compile(rb"X-Case: (\S+)")
_EXISTS = re.compile(rb"\* (\d+) EXISTS")


class _Link(Protocol):
    def fileno(self) -> int: ...

    def news(self) -> Iterable[bytes]:
        """It is readable: the mails that it brings, and back to IDLE."""


class _Bare:
    """No more than the bytes that must be said."""

    def __init__(self, port: int, trust: ssl.SSLContext, user: str) -> None:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = trust.wrap_socket(sock, server_hostname="127.0.0.1")
        self.fileno = self.sock.fileno
        self.until(b"\r\n")
        self.ask(b"a", b"LOGIN %s secret" % user.encode())
        self.ask(b"b", b"EXAMINE INBOX")
        self.idle()

    def idle(self) -> None:
        self.sock.sendall(b"i IDLE\r\n")
        self.until(b"+ idling\r\n")

    def ask(self, tag: bytes, command: bytes) -> bytes:
        self.sock.sendall(tag + b" " + command + b"\r\n")
        return self.until(b"\r\n" + tag + b" OK done\r\n", b"\r\n")

    def until(self, end: bytes, got: bytes = b"") -> bytes:
        while not got.endswith((end, b"hello\r\n")):
            if not (data := self.sock.recv(65536)):
                raise ConnectionError("the server is gone")
            got += data
        return got

    def news(self) -> Iterable[bytes]:
        exists = _EXISTS.search(self.sock.recv(65536))
        if exists is None:
            return
        self.sock.sendall(b"DONE\r\n")
        self.until(b"i OK done\r\n")
        yield self.ask(b"c", b"FETCH %s (BODY.PEEK[])" % exists[1])
        self.idle()


class _Imapclient:
    """As its documentation has it."""

    def __init__(self, port: int, trust: ssl.SSLContext, user: str) -> None:
        self.client = IMAPClient("127.0.0.1", port, ssl_context=trust)
        self.client._imap.debug = 0
        self.client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fileno = self.client.socket().fileno
        self.client.login(user, "secret")
        self.client.select_folder("INBOX", readonly=True)
        self.client.idle()

    def news(self) -> Iterable[bytes]:
        told = self.client.idle_check(timeout=0)
        numbers = [line[0] for line in told if line[1:] == (b"EXISTS",)]
        if not numbers:
            return
        self.client.idle_done()
        for items in self.client.fetch(numbers[-1:], [b"BODY.PEEK[]"]).values():
            yield items[b"BODY[]"]
        self.client.idle()


KINDS = {BARE: _Bare, IMAPCLIENT: _Imapclient}


def watch(links: Sequence[_Link], log: Path) -> None:
    epoll, by_number = select.epoll(), {link.fileno(): link for link in links}
    for number in by_number:
        epoll.register(number, select.EPOLLIN)
    epoll.register(0, select.EPOLLIN)
    with log.open("a", buffering=1) as file:
        while True:
            for number, _ in epoll.poll():
                if number == 0:
                    return
                for mail in by_number[number].news():
                    file.write(f"{_CASE.search(mail)[1].decode()} {time.time()}\n")


def main(kind: str, port: str, ca_file: str, log: str, users: str) -> None:
    trust = ssl.create_default_context(cafile=ca_file)
    watch([KINDS[kind](int(port), trust, f"user-{number}") for number in range(int(users))], Path(log))


if __name__ == "__main__":
    main(*sys.argv[1:])
