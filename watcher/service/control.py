"""
The control socket: the commands ask the daemon, which alone writes the ledger.

One request a connection: a JSON object on one line, answered by one line. The socket lies in a directory that only its
owner may enter, and whoever connects must be that owner or root.
"""

import errno
import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from watcher.errors import ConfigError, StateLocked, StorageFailed, WatcherError
from watcher.service.sockets import bind_at, remove, short

__all__ = ["PATIENCE", "Control", "Refused", "ask"]

log = logging.getLogger(__name__)

PATIENCE = 30.0  #: seconds a command waits for its answer
HASTE = 5.0  #: seconds a caller has to say what it wants, and again to take the answer
MOST = 32  #: callers at once, each with a thread of its own, so that none waits for the long answer to another
QUEUE = 1024  #: callers that may wait for their turn; beyond that a caller is told to try again (unix(7))
LONGEST = 16 << 20  #: bytes of a request or an answer

Answer = Callable[[Mapping[str, Any]], object]


class Refused(WatcherError):
    """The daemon answered that it can't do what was asked; says why."""


class Control:
    """
    The daemon's end. `answer` gets the request, each in a thread of its own, and returns what can be written as JSON,
    or raises a WatcherError; anything else it raises is a bug and goes to `on_failure`, as does a failing disk.
    """

    def __init__(self, path: Path, answer: Answer, on_failure: Callable[[BaseException], None]) -> None:
        """Raises StateLocked or ConfigError if `path` can't be had."""
        self.path = path
        self.answer = answer
        self.on_failure = on_failure
        self.over = threading.Event()
        self.places = threading.Semaphore(MOST)
        self.guard = threading.Lock()
        self.callers: dict[threading.Thread, socket.socket] = {}
        self.socket = listen(path)
        self.file = path.lstat()
        self.thread = threading.Thread(target=self.serve, name="control", daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            self.places.acquire()
            if self.over.is_set():
                return
            try:
                self.receive()
            except (OSError, RuntimeError) as error:  # no number for a file is left, or no room for a thread
                self.places.release()
                if not self.over.is_set():
                    log.warning("control: nobody can be heard now: %s", getattr(error, "strerror", None) or error)
                    self.over.wait(1.0)

    def receive(self) -> None:
        """Let the next caller in, and have it attended to."""
        caller, _ = self.socket.accept()
        thread = threading.Thread(target=self.attend, args=(caller,), name="control answers", daemon=True)
        with self.guard:
            self.callers[thread] = caller
        try:
            thread.start()
        except RuntimeError:
            self.leave(thread)
            raise

    def attend(self, caller: socket.socket) -> None:
        try:
            self.talk(caller)
        except OSError as error:
            log.debug("control: a caller went away: %s", error)
        except BaseException as error:  # noqa: BLE001 - a bug or a failing disk ends the process
            self.on_failure(error)
        finally:
            self.leave(threading.current_thread())
            self.places.release()

    def leave(self, thread: threading.Thread) -> None:
        with self.guard:
            self.callers.pop(thread).close()

    def talk(self, caller: socket.socket) -> None:
        _, user, _ = struct.unpack(
            "3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        )
        if user not in {0, os.geteuid()}:
            log.warning("control: user %d was turned away", user)
            return
        try:
            request = read_request(receive_line(caller, HASTE))
            reply = json.dumps({"answer": self.answered(request)}).encode()
            if len(reply) >= LONGEST:
                raise Refused(f"the answer would have {len(reply) >> 20} MB, which is too much; ask for less")
        except StorageFailed:
            raise
        except WatcherError as error:
            reply = json.dumps({"refused": str(error)}).encode()
        caller.settimeout(HASTE)
        caller.sendall(reply + b"\n")

    def answered(self, request: Mapping[str, Any]) -> object:
        try:
            return self.answer(request)
        except OSError as error:  # of a file that is another's, say: not of the caller, who waits
            raise Refused(f"{error.filename or 'a file'}: {error.strerror or error}") from error

    def close(self) -> None:
        """Take no more requests; those that are being answered are answered to their end."""
        due = time.monotonic() + PATIENCE
        self.over.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.places.release()
        self.thread.join(PATIENCE)
        with self.guard:
            threads = list(self.callers)
            for caller in self.callers.values():
                with suppress(OSError):  # it is gone already
                    caller.shutdown(socket.SHUT_RD)
        for thread in threads:
            thread.join(max(0.0, due - time.monotonic()))
        self.socket.close()
        remove(self.path, self.file)


def ask(path: Path, request: Mapping[str, Any], patience: float = PATIENCE) -> Any:
    """
    The daemon's answer, for which it gets `patience` seconds. Raises Refused with its reason, or if another program
    answers, and ConnectionError if no daemon listens.

    A socket file that nobody listens on is what a killed daemon leaves behind.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(patience)
        try:
            with short(path) as name:
                line.connect(name)
        except FileNotFoundError as error:
            raise ConnectionRefusedError(f"no daemon listens on {path}") from error
        line.sendall(json.dumps(request).encode() + b"\n")
        told = receive_line(line, patience)
    if not told.endswith(b"\n"):
        raise Refused("the daemon ended before it answered")
    try:
        reply = json.loads(told)
        answer, refused = reply.get("answer"), reply.get("refused")
    except (ValueError, RecursionError, AttributeError) as error:
        raise Refused(f"what listens on {path} is no imap-watcher; set watcher.socket") from error
    if refused is not None:
        raise Refused(str(refused))
    return answer


def listen(path: Path) -> socket.socket:
    """A socket on `path`, in the place of one that a killed daemon has left. Raises StateLocked or ConfigError."""
    try:
        line = bind_at(path, 0o600)
        line.listen(QUEUE)
    except OSError as error:
        why = f"control socket {path}: {error.strerror or error}"
        if error.errno == errno.ENOTSOCK:
            raise ConfigError([f"{why}; set watcher.socket"]) from error
        raise StateLocked(f"{why}; set watcher.socket" if error.errno == errno.EADDRINUSE else why) from error
    return line


def read_request(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the request is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise Refused("the request is not a JSON object")
    return request


def receive_line(line: socket.socket, seconds: float) -> bytes:
    """What comes until a line end, or the end, as a whole within `seconds`. Raises Refused if it is too long."""
    due = time.monotonic() + seconds
    data = bytearray()
    while not data.endswith(b"\n"):
        line.settimeout(max(0.001, due - time.monotonic()))  # 0 would mean: don't wait at all
        if not (piece := line.recv(65536)):
            break
        data += piece
        if len(data) > LONGEST:
            raise Refused(f"it has more than {LONGEST >> 20} MB")
    return bytes(data)
