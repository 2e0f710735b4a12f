"""Children that take mails apart, so that a hostile mail can kill at most one of them."""

import logging
import math
import pickle
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from watcher.errors import SpoolFull, Unreadable
from watcher.limits import USUAL, Limits
from watcher.mail.facts import from_json
from watcher.mail.orders import PACKET, Answer, Order
from watcher.mail.trust import TRUST_NOBODY, TrustPolicy
from watcher.model import Envelope, MailFolder, Message

__all__ = ["UnpackPool"]

log = logging.getLogger(__name__)

#: Mails after which a child is replaced by a fresh one, in case a library leaks: after as many it has grown by 4 MB.
_MAILS = 10_000

#: Seconds that a child may take to load what it needs.
_BIRTH = 60.0


class UnpackPool:
    """Up to a number of children. Each is started when it is needed first, and a dead one is replaced."""

    def __init__(self, workers: int, limits: Limits = USUAL, hesitation: float = 0.0) -> None:
        """`workers`: how many; another one is started when all have been at one mail for `hesitation` seconds."""
        self._workers = workers
        self._limits = limits
        self._hesitation = hesitation
        self._changed = Condition()
        self._closed = False
        self._idle: deque[_Child] = deque()
        self._busy: set[_Child] = set()

    def unpack(self, folder: MailFolder, envelope: Envelope, policy: TrustPolicy = TRUST_NOBODY) -> Message:
        """
        Take the mail in `folder` apart in a child and wait for it; see `watcher.mail.unpack`. May be called from many
        threads. Raises SpoolFull, and Unreadable: with `crashed` if the child died, or ran out of memory or time.
        """
        with self._child() as child:
            answer = child.ask(Order(folder.path, envelope, policy))
        if answer.trace:
            log.error("bug in taking %s apart: %s", folder.path, answer.trace)
        if answer.full:
            raise SpoolFull(answer.trouble)
        if answer.trouble:
            raise Unreadable(answer.trouble, crashed=answer.crashed)
        try:
            return from_json(folder.facts.read_text("utf-8"))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise Unreadable(f"what its process wrote makes no sense: {error!r}", crashed=True) from error

    def close(self) -> None:
        """End all children at once. A mail that is in work is given up."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for child in self._busy:
                child.kill()
            for child in self._idle:
                child.end()

    @contextmanager
    def _child(self) -> "Iterator[_Child]":
        """One of them, for one mail."""
        with self._changed:
            if self._hesitation:
                self._hesitate()
            self._changed.wait_for(lambda: self._idle or self._closed or len(self._busy) < self._workers)
            if self._closed:
                raise Unreadable("the daemon stops", crashed=True)
            while self._idle and not self._idle[-1].fit():
                self._idle.pop().end()
            child = self._idle.pop() if self._idle else _Child(self._limits)
            self._busy.add(child)
        try:
            yield child
        finally:
            self._give_back(child)

    def _hesitate(self) -> None:
        """
        Wait for one that is idle, as long as a busy one has its mail not long. However long the backlog, one is as fast
        as the rest of the daemon, and costs 65 MB; only a mail that takes long is not to hold up the others.
        """
        while self._busy and not self._idle and not self._closed:
            since = time.monotonic() - max(child.began_at for child in self._busy)
            if since >= self._hesitation:
                return
            self._changed.wait(self._hesitation - max(since, 0.0))

    def _give_back(self, child: "_Child") -> None:
        with self._changed:
            self._busy.remove(child)
            child.began_at = math.inf
            self._changed.notify()
            if self._closed or (self._hesitation and self._idle):  # the mail that took long is done: one is enough
                child.end()
            else:
                self._idle.append(child)


class _Child:
    """One process. Used by one thread at a time; any may `kill` it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._mails = 0
        self.began_at = math.inf  #: with its mail, as time.monotonic has it; not before it is there to do so
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-B", "-P", "-m", "watcher.mail.child"], stdin=theirs.fileno(), start_new_session=True
            )

    def fit(self) -> bool:
        """Whether it may have another mail."""
        return self._mails < _MAILS and self._process.poll() is None

    def ask(self, order: Order) -> Answer:
        """Have it take a mail apart. The time of the mail runs only once the child is there."""
        try:
            if not self._mails:
                self._say(pickle.dumps(self._limits), _BIRTH)
            self._mails += 1
            self.began_at = time.monotonic()
            return self._say(order.packed(), self._limits.seconds)
        except TimeoutError:
            self.kill()
            return Answer(f"it takes more than {self._limits.seconds:g} seconds", crashed=True)
        except (OSError, ValueError, TypeError):  # its end, or what is no answer
            self.kill()
            return Answer(f"it killed its process ({_ending(self._process.returncode)})", crashed=True)

    def kill(self) -> None:
        """Whatever it does; who waits for its answer is told."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Nobody uses it any more."""
        self.kill()
        self._link.close()

    def _say(self, packet: bytes, patience: float) -> Answer:
        self._link.settimeout(patience)
        self._link.send(packet)
        return Answer.unpacked(self._link.recv(PACKET))


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
