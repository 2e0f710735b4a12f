"""
The floor: one TLS socket, and nothing done with what comes but looking for the ends of mails. DONE and FETCH go out
together. No mail is kept, none is parsed, and a server that breaks off ends it.
"""

import base64
import re
import socket
import time

from errand import Errand, case_of, errand

CHUNK = 1 << 18
MAIL = re.compile(rb"^\* \d+ FETCH \(UID (\d+) BODY\[\] \{(\d+)\}\r\n$")


class Socket:
    """Lines and literals of one link."""

    def __init__(self, told: Errand) -> None:
        plain = socket.create_connection((told.host, told.port))
        told.tune(plain)
        self.link = told.tls.wrap_socket(plain, server_hostname=told.host)
        self.room = bytearray(CHUNK)
        self.begin = self.end = 0

    def send(self, text: str) -> None:
        self.link.sendall(text.encode())

    def line(self) -> bytes:
        """The next line."""
        while (newline := self.room.find(b"\n", self.begin, self.end)) < 0:
            self.room[: self.end - self.begin] = self.room[self.begin : self.end]
            self.begin, self.end = 0, self.end - self.begin
            self.read()
        line = bytes(self.room[self.begin : newline + 1])
        self.begin = newline + 1
        return line

    def skip(self, size: int) -> bytes:
        """Past a literal; its first bytes."""
        first = b""
        while size:
            if self.begin == self.end:
                self.begin = self.end = 0
                self.read()
            taken = min(size, self.end - self.begin)
            if len(first) < 4096:
                first += self.room[self.begin : self.begin + min(taken, 4096)]
            self.begin += taken
            size -= taken
        return first

    def read(self) -> None:
        got = self.link.recv_into(memoryview(self.room)[self.end :])
        if not got:
            raise EOFError
        self.end += got

    def until(self, start: bytes) -> bytes:
        """The next line that begins so."""
        while not (line := self.line()).startswith(start):
            pass
        return line


def main() -> None:
    told = errand()
    link = Socket(told)
    link.line()
    secret = base64.b64encode(f"\0{told.user}\0{told.password}".encode()).decode()
    link.send(f"a AUTHENTICATE PLAIN {secret}\r\n")
    link.until(b"a OK")
    link.send("e EXAMINE INBOX\r\n")
    link.until(b"e OK")
    next_uid, ask = 1, ""
    while True:
        link.send(f"{ask}f UID FETCH {next_uid}:* BODY.PEEK[]\r\n")
        while not (line := link.line()).startswith(b"f OK"):
            if found := MAIL.match(line):
                first = link.skip(int(found[2]))
                if int(found[1]) >= next_uid:  # `n:*` gives the last one if there is none
                    told.note(case_of(first), time.time())
                    next_uid = int(found[1]) + 1
                link.until(b")")
        link.send("i IDLE\r\n")
        while not link.line().endswith(b" EXISTS\r\n"):
            pass
        ask = "DONE\r\n"


main()
