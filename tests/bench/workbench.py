"""
What all contests share: a Dovecot that tells of mail at once, and the small programs, compiled on the spot, that make
that so and that note when a handler begins.
"""

import shutil
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.bench.frame import say
from tests.system.dovecot import Dovecot

__all__ = ["Delivery", "Post", "Workbench", "prompt_dovecot", "workbench"]

_PARTS = Path(__file__).parent / "parts"
_STAMP = """#!/bin/sh
now=$(date +%s.%N)
exec sed -n "s/^X-Case: \\([0-9]*\\).*/\\1 $now/p;T" >>"$1"
"""
_PRELOADED = "import_environment = TZ CORE_OUTOFMEM CORE_ERROR LD_PRELOAD={library}"


@dataclass(frozen=True, slots=True)
class Workbench:
    """One directory for a run of the bench, readable for Dovecot's processes too."""

    place: Path
    stamp: Path  #: program: `stamp LOG <MAIL` notes when it began
    prompt: Path | None  #: library for Dovecot; None without a compiler

    def home(self, name: str) -> Path:
        """A new directory for somebody who takes part."""
        home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.place))
        home.chmod(0o755)
        return home


@contextmanager
def workbench() -> Iterator[Workbench]:
    """The programs, compiled. Without a compiler a script stands in for one and the other is missing; it says so."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = Path(name)
        place.chmod(0o755)
        compiler = shutil.which("cc") or shutil.which("gcc")
        stamp = place / "stamp"
        if compiler:
            prompt = place / "prompt.so"
            _compile(compiler, "stamp.c", stamp, "-static")
            _compile(compiler, "prompt.c", prompt, "-shared", "-fPIC")
            yield Workbench(place, stamp, prompt)
            return
        say("no C compiler: Dovecot tells of a mail up to 500 ms late, and handlers are shell scripts")
        stamp.write_text(_STAMP)
        stamp.chmod(0o755)
        yield Workbench(place, stamp, None)


@contextmanager
def prompt_dovecot(bench: Workbench, users: Iterable[str], **settings: int) -> Iterator[Dovecot]:
    """A Dovecot whose 500 ms of gathering news are taken out where that can be."""
    preloaded = _PRELOADED.format(library=bench.prompt) if bench.prompt else ""
    with Dovecot(users, settings=preloaded, **settings) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Delivery:
    """When a mail was handed in; the server tells its watchers of it between the two."""

    sent: float  #: from here on
    accepted: float  #: the server's 250 was read


class Post:
    """One link to hand mails in by LMTP; a context manager."""

    def __init__(self, server: Dovecot) -> None:
        self._link = smtplib.LMTP(str(server.root / "run" / "lmtp"))

    def __enter__(self) -> Self:
        self._link.ehlo_or_helo_if_needed()
        return self

    def __exit__(self, *_error: object) -> None:
        self._link.close()

    def deliver(self, user: str, raw: bytes) -> Delivery:
        """Hand in a mail with CR LF line ends."""
        self._link.mail("sender@example.org", ["BODY=8BITMIME"])
        self._link.rcpt(user)
        self._link.docmd("DATA")
        text = smtplib._quote_periods(raw) + b"\r\n.\r\n"
        sent = time.time()
        self._link.send(text)
        code, reason = self._link.getreply()
        if code != 250:
            raise RuntimeError(f"the server refuses a mail: {code} {reason!r}")
        return Delivery(sent, time.time())


def _compile(compiler: str, source: str, target: Path, *flags: str) -> None:
    subprocess.run([compiler, "-O2", *flags, "-o", target, _PARTS / source], check=True)
