"""The state directory belongs to one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watcher.errors import StateLocked

__all__ = ["hold_state"]


@contextmanager
def hold_state(state: Path) -> Iterator[None]:
    """The state directory is ours alone. Raises StateLocked if another process has it, or it can't be made."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (state / "lock").open("a+")
    except OSError as error:
        raise StateLocked(f"state directory {state}: {error.strerror}; make it, or set watcher.state") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise StateLocked(f"{state} is in use by process {lock.read().strip() or '?'}") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
