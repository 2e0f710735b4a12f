"""The state directory belongs to one user, and to one process at a time."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from watcher.errors import StateLocked

__all__ = ["hold_state"]

#: What lies in the place of the lock is opened only if it is no link: it is overwritten.
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

#: What the daemon can't begin without, once it is there.
DIRECTORIES = ("spool", "scratch", "handler-state", "handler-versions", "handler-pins")
FILES = ("ledger.db", "instance")


@contextmanager
def hold_state(state: Path) -> Iterator[None]:
    """
    The state directory is ours alone. Raises StateLocked if another process has it, if others could change what is in
    it, or if it can't be made or used.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if reason := objection(state.stat(), os.geteuid()):
            raise StateLocked(f"state directory {state} {reason} {state}")
        if reason := spoilt(state):
            raise StateLocked(reason)
        lock = os.fdopen(os.open(state / "lock", _LOCK, 0o600), "r+")
    except OSError as error:
        why = error.strerror or error
        raise StateLocked(f"{error.filename or state}: {why}; mend it, or set watcher.state") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateLocked(f"{state} is in use by process {lock.read().strip() or '?'}") from error
        with suppress(OSError):  # it is for people only, and on a full disk they go without
            os.ftruncate(lock.fileno(), 0)
            os.pwrite(lock.fileno(), f"{os.getpid()}\n".encode(), 0)
        yield


def objection(found: os.stat_result, user: int) -> str:
    """Why a directory can't be trusted, and the command that mends it; "" if it can."""
    if found.st_uid != user:
        return f"belongs to user {found.st_uid}, not to {user}: run this as that user, or chown -R {user}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by others: chmod go-w"
    return ""


def spoilt(state: Path) -> str:
    """What in it we can't use, as root or a copy has left it, and what mends that; "" if there is nothing."""
    for path in (state / name for name in (*DIRECTORIES, *FILES) if os.path.lexists(state / name)):
        if path.name in DIRECTORIES and not path.is_dir():
            return f"{path} is no directory: move it away"
        if not os.access(path, os.R_OK | os.W_OK | (os.X_OK if path.name in DIRECTORIES else 0)):
            return f"{path} can't be used by user {os.geteuid()}: chown -R {os.geteuid()} {state}"
    return ""
