"""Sockets in the file system: in the place of one that a killed daemon has left, and never open to more than meant."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["bind_at", "remove", "short"]

HASTE = 5.0  #: seconds in which a living process takes a connection


def bind_at(path: Path, mode: int) -> socket.socket:
    """
    A socket at `path` that does not listen yet, with the permissions `mode` from its first moment on.

    Raises OSError; ENOTSOCK if what stands there is not a socket, EADDRINUSE if another process listens on it.
    """
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        vacate(path)
        # Linux makes the file with the mode of the socket less the umask, which is no affair of ours: it is that of all
        # threads, and what they write meanwhile would get it.
        os.fchmod(line.fileno(), mode)
        with short(path) as name:
            line.bind(name)
        path.chmod(mode)
    except OSError:
        line.close()
        raise
    return line


def vacate(path: Path) -> None:
    """Remove the socket of a process that was killed. Raises OSError if it is anything else."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.ENOTSOCK, "what stands there is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line, short(path) as name:
            line.settimeout(HASTE)
            try:
                line.connect(name)
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise OSError(errno.EADDRINUSE, "another process listens there")


def remove(path: Path, ours: os.stat_result) -> None:
    """Remove the socket, but not what has taken its place since."""
    with suppress(FileNotFoundError):
        if os.path.samestat(path.lstat(), ours):
            path.unlink()


@contextmanager
def short(path: Path) -> Iterator[str]:
    """A name for a socket whose own is longer than the 107 bytes that an address holds (unix(7)); Linux only."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
