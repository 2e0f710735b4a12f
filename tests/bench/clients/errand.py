"""
What each client program of the bench is told, and how it tells what it has done. It runs on its own, beside peers that
have an environment of their own, so it stands on the standard library alone.
"""

import argparse
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Errand", "case_of", "errand"]

MARK = b"X-Case: "


def case_of(beginning: bytes) -> int:
    """The number of a mail, from its first bytes."""
    start = beginning.index(MARK) + len(MARK)
    return int(beginning[start : beginning.index(b"\r", start)])


@dataclass(frozen=True, slots=True)
class Errand:
    """Fetch all mails of the inbox, then those that come, and note each when its handler would begin."""

    host: str
    port: int
    ca_file: str
    user: str
    password: str
    log: Path
    tuned: bool  #: TCP_NODELAY, and nothing of a library that only helps in finding faults
    parse: bool  #: with mail-parser
    spawn: str  #: a program that is given each mail on its standard input; "" for none

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def tune(self, link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def note(self, case: int, when: float) -> None:
        """One line for a handled mail."""
        with self.log.open("a") as log:
            log.write(f"{case} {when:.6f}\n")

    def handle(self, raw: bytes) -> None:
        """As wanted: parse it, hand it over or note it."""
        if self.parse:
            import mailparser  # noqa: PLC0415 in some environments only

            mail = mailparser.parse_from_bytes(raw)
            _ = mail.subject, mail.from_, mail.to, mail.body, mail.attachments
        if self.spawn:
            subprocess.run([self.spawn, str(self.log)], input=raw, check=True)
        else:
            self.note(case_of(raw[:16384]), time.time())


def errand() -> Errand:
    """As the command line tells."""
    parser = argparse.ArgumentParser()
    for name, kind in (("host", str), ("port", int), ("ca_file", str), ("user", str), ("password", str), ("log", Path)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--parse", action="store_true")
    parser.add_argument("--spawn", default="")
    return Errand(**vars(parser.parse_args()))
