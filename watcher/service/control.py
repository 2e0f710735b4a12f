"""
The control socket: the commands ask the daemon, which alone writes the ledger.

One request a connection: a JSON object on one line, answered by one line. The socket lies in a directory that only its
owner may enter, and whoever connects must be that owner or root.
"""

import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from watcher.errors import StateLocked, WatcherError

__all__ = ["Control", "Refused", "ask"]

log = logging.getLogger(__name__)

PATIENCE = 30.0  #: seconds for one request and its answer
LONGEST = 16 << 20  #: bytes of a request or an answer

Answer = Callable[[Mapping[str, Any]], object]


class Refused(WatcherError):
    """The daemon answered that it can't do what was asked; says why."""


class Control:
    """
    The daemon's end. `answer` gets the request and returns what can be written as JSON, or raises a WatcherError;
    anything else it raises is a bug and goes to `on_failure`.
    """

    def __init__(self, path: Path, answer: Answer, on_failure: Callable[[BaseException], None]) -> None:
        self.path = path
        self.answer = answer
        self.on_failure = on_failure
        path.unlink(missing_ok=True)  # of a daemon that was killed; the lock on the state says that none is alive
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with short(path) as name:
                self.socket.bind(name)
        except OSError as error:
            raise StateLocked(f"control socket {path}: {error.strerror or error}") from error
        finally:
            os.umask(before)
        self.socket.listen(16)
        self.thread = threading.Thread(target=self.serve, name="control", daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                caller, _ = self.socket.accept()
            except OSError:
                return  # closed
            with caller:
                caller.settimeout(PATIENCE)
                try:
                    self.talk(caller)
                except OSError as error:
                    log.debug("control: a caller went away: %s", error)
                except BaseException as error:  # noqa: BLE001 - a bug or a failing disk ends the process
                    self.on_failure(error)

    def talk(self, caller: socket.socket) -> None:
        _, user, _ = struct.unpack(
            "3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        )
        if user not in {0, os.geteuid()}:
            log.warning("control: user %d was turned away", user)
            return
        try:
            reply = {"answer": self.answer(read_request(receive_line(caller)))}
        except WatcherError as error:
            reply = {"refused": str(error)}
        caller.sendall(json.dumps(reply).encode() + b"\n")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(PATIENCE)
        self.path.unlink(missing_ok=True)


def ask(path: Path, request: Mapping[str, Any]) -> Any:
    """
    The daemon's answer. Raises Refused with its reason, or ConnectionError if no daemon listens.

    A socket file that nobody listens on is what a killed daemon leaves behind.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        try:
            with short(path) as name:
                line.connect(name)
        except FileNotFoundError as error:
            raise ConnectionRefusedError(f"no daemon listens on {path}") from error
        line.sendall(json.dumps(request).encode() + b"\n")
        reply = json.loads(receive_line(line) or b'{"refused": "the daemon ended before it answered"}')
    if "refused" in reply:
        raise Refused(reply["refused"])
    return reply["answer"]


@contextmanager
def short(path: Path) -> Iterator[str]:
    """A name for a socket whose own is longer than the 107 bytes that an address holds (unix(7)); Linux only."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def read_request(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except ValueError as error:
        raise Refused(f"the request is no JSON: {error}") from error
    if not isinstance(request, dict):
        raise Refused("the request is no JSON object")
    return request


def receive_line(line: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and len(data) < LONGEST and (piece := line.recv(65536)):
        data += piece
    return bytes(data)
