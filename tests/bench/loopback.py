"""
The server behind `Mailboxes`: one thread, one epoll, no disk.

It knows what watching needs of IMAP, over TLS: log in, open INBOX, search, fetch, idle. A mailbox is a number: how many
mails lie in it; mail UID of user NAME is always the same short text, with NAME/UID in its X-Case header.

`python -m tests.bench.loopback CERTIFICATE WAITING`: what its user wants comes as lines of JSON on standard input, the
answers go to standard output, the port first. It ends with its input.
"""

import base64
import contextlib
import json
import os
import re
import resource
import selectors
import socket
import ssl
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

__all__ = ["letter"]

_RESET = struct.pack("ii", 1, 0)  #: SO_LINGER: close with RST
_CAPABLE = b"IMAP4rev1 IDLE AUTH=PLAIN SASL-IR UNSELECT UIDPLUS"
_COMMAND = re.compile(rb"(\S+) (UID SEARCH|UID FETCH|\S+) ?(.*)", re.IGNORECASE)
_SPAN = re.compile(rb"(\d+)(?::(\d+|\*))?")
_PART = re.compile(rb"BODY(?:\.PEEK)?\[\]<(\d+)\.(\d+)>", re.IGNORECASE)


def letter(user: str, uid: int) -> bytes:
    """The mail that lies there."""
    return (
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nFrom: Somebody <somebody@example.org>\r\nTo: {user}@test.example\r\n"
        f"Subject: number {uid}\r\nMessage-ID: <{uid}.{user}@example.org>\r\nX-Case: {user}/{uid}\r\n"
        'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n' + "All is well here.\r\n" * 20
    ).encode()


class _Session:
    """One connection."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.greeted = False
        self.user = ""
        self.told = 0  #: mails that it knows of
        self.idle = b""  #: tag of the IDLE it is in
        self.awaits = b""  #: tag of an AUTHENTICATE whose answer is to come
        self.received = self.unsent = b""


class _Server:
    def __init__(self, certificate: str, waiting: int) -> None:
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.trust.load_cert_chain(certificate)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        os.set_blocking(0, False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(0, selectors.EVENT_READ)
        self.mails: defaultdict[str, int] = defaultdict(lambda: waiting)
        self.sessions: set[_Session] = set()
        self.coming: Iterator[_Session] = iter(())  #: whose turn in the burst is still to come
        self.began = self.pace = 0.0
        self.burst: dict[str, float] | None = None
        self.sent = 0
        self.asked = b""

    def run(self) -> None:
        say(self.listener.getsockname()[1])
        while True:
            for key, _ in self.selector.select(self.deliver()):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj == 0:
                    if not self.obey():
                        return
                else:
                    self.serve(key.data)

    # --- what the user of the server wants ---

    def obey(self) -> bool:
        if not (data := os.read(0, 65536)):
            return False
        *lines, self.asked = (self.asked + data).split(b"\n")
        for line in lines:
            match json.loads(line):
                case ["idling"]:
                    say(sum(bool(session.idle) for session in self.sessions))
                case ["burst", each, pace]:
                    ready = sorted((one for one in self.sessions if one.idle), key=lambda one: one.user)[:each]
                    self.coming, self.burst, self.began, self.pace, self.sent = iter(ready), {}, time.time(), pace, 0
                case ["reset", user]:
                    say(*self.reset(user))
        return True

    def reset(self, user: str) -> tuple[str, float]:
        for session in [one for one in self.sessions if one.user == user]:
            session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.drop(session)
        self.mails[user] += 1
        return f"{user}/{self.mails[user]}", time.time()

    def deliver(self) -> float | None:
        """Tell of the mails whose time has come; seconds until the next one."""
        while self.burst is not None:
            if self.pace and (early := self.began + self.sent / self.pace - time.time()) > 0:
                return early
            session = next(self.coming, None)
            if session is None:
                say(*self.burst.items())
                self.burst = None
                break
            self.sent += 1
            self.mails[session.user] += 1
            self.burst[f"{session.user}/{self.mails[session.user]}"] = time.time()
            if session.idle:
                self.tell_news(session)
        return None

    # --- connections ---

    def accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, _ = self.listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                wrapped = self.trust.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                session = _Session(wrapped)
                self.sessions.add(session)
                self.selector.register(wrapped, selectors.EVENT_READ, session)

    def drop(self, session: _Session) -> None:
        self.sessions.discard(session)
        self.selector.unregister(session.sock)
        session.sock.close()

    def serve(self, session: _Session) -> None:
        try:
            if not session.greeted:
                session.sock.do_handshake()
                session.greeted = True
                self.say(session, b"* OK [CAPABILITY " + _CAPABLE + b"] at your service")
            self.flush(session)
            while data := session.sock.recv(65536):
                session.received += data
                while b"\r\n" in session.received:
                    line, _, session.received = session.received.partition(b"\r\n")
                    self.take(session, line)
            self.drop(session)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.drop(session)

    def say(self, session: _Session, *lines: bytes) -> None:
        session.unsent += b"".join(line + b"\r\n" for line in lines)
        self.flush(session)

    def flush(self, session: _Session) -> None:
        try:
            while session.unsent:
                session.unsent = session.unsent[session.sock.send(session.unsent) :]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self.selector.modify(session.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, session)
            return
        if session.greeted and self.selector.get_key(session.sock).events != selectors.EVENT_READ:
            self.selector.modify(session.sock, selectors.EVENT_READ, session)

    # --- IMAP ---

    def take(self, session: _Session, line: bytes) -> None:
        if session.awaits:
            tag, session.awaits = session.awaits, b""
            self.log_in(session, tag, line)
        elif session.idle:
            tag, session.idle = session.idle, b""
            self.say(session, tag + b" OK done")
        elif parts := _COMMAND.fullmatch(line):
            tag, verb, rest = parts[1], parts[2].upper(), parts[3]
            self.answer(session, tag, verb, rest)

    def answer(self, session: _Session, tag: bytes, verb: bytes, rest: bytes) -> None:
        match verb:
            case b"CAPABILITY":
                self.say(session, b"* CAPABILITY " + _CAPABLE)
            case b"LOGIN":
                session.user = rest.split()[0].strip(b'"').decode()
            case b"AUTHENTICATE":
                if len(words := rest.split()) > 1:
                    self.log_in(session, tag, words[1])
                else:
                    session.awaits = tag
                    self.say(session, b"+ ")
                return
            case b"EXAMINE" | b"SELECT":
                there = session.told = self.mails[session.user]
                self.say(
                    session, b"* %d EXISTS" % there, b"* OK [UIDVALIDITY 1] ok", b"* OK [UIDNEXT %d] ok" % (there + 1)
                )
            case b"UID SEARCH":
                self.say(session, b"* SEARCH" + b"".join(b" %d" % uid for uid in self.searched(session, rest)))
            case b"UID FETCH" | b"FETCH":
                for uid in uids_of(rest.split()[0], self.mails[session.user]):
                    self.say(session, fetched(session.user, uid, rest))
            case b"IDLE":
                session.idle = tag
                self.say(session, b"+ idling")
                if session.told != self.mails[session.user]:
                    self.tell_news(session)
                return
        self.tell_news(session)
        self.say(session, tag + b" OK done")

    def log_in(self, session: _Session, tag: bytes, words: bytes) -> None:
        session.user = base64.b64decode(words).split(b"\0")[1].decode()
        self.say(session, tag + b" OK [CAPABILITY " + _CAPABLE + b"] hello")

    def tell_news(self, session: _Session) -> None:
        if session.user and session.told != self.mails[session.user]:
            session.told = self.mails[session.user]
            self.say(session, b"* %d EXISTS" % session.told)

    def searched(self, session: _Session, keys: bytes) -> Sequence[int]:
        there = self.mails[session.user]
        if keys.upper().startswith(b"UID "):
            return uids_of(keys[4:], there)
        return range(1, there + 1)


def fetched(user: str, uid: int, items: bytes) -> bytes:
    text, where = letter(user, uid), b""
    size = len(text)
    if part := _PART.search(items):
        start = int(part[1])
        text, where = text[start : start + int(part[2])], b"<%d>" % start
    facts = b'UID %d RFC822.SIZE %d INTERNALDATE "21-Nov-2026 10:00:00 +0000"' % (uid, size)
    return b"* %d FETCH (%s BODY[]%s {%d}\r\n%s)" % (uid, facts, where, len(text), text)


def uids_of(listed: bytes, there: int) -> Sequence[int]:
    uids: set[int] = set()
    for span in _SPAN.finditer(listed):
        low = int(span[1])
        high = low if span[2] is None else there if span[2] == b"*" else int(span[2])
        uids.update(range(min(low, high), min(there, max(low, high)) + 1))
    return sorted(uids)


def say(*values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _Server(sys.argv[1], int(sys.argv[2])).run()
