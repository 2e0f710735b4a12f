"""What authors of Python handlers import as `once`: a thing that must not be done twice, whatever crashes when."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

__all__ = ["once"]

#: Keys that can be names of files as they are, as `$WATCHER_KEY` is.
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.@=_-]{0,120}")


@contextmanager
def once(key: str) -> Iterator[bool]:
    """
    Whether `key` is new to this handler; from then on it is not, over crashes and power loss.

        with once(message.key) as first:
            if first:
                charge(message)

    The mark is on the disk before the block begins: what is killed within it is not done again, as nobody can know how
    far it came. If the block raises, the mark is taken back, and the next attempt finds the key new; so within it
    `raise Later(...)`, don't return it. Marks are files in `$WATCHER_STATE`; delete old ones when you like.

    Raises LookupError without that variable, which the daemon sets; for a test set it to a directory. Raises OSError.
    """
    directory = os.environ.get("WATCHER_STATE")
    if not directory:
        raise LookupError("once() needs the variable WATCHER_STATE: a directory for its marks")
    mark = Path(directory) / (key if PLAIN.fullmatch(key) else sha256(key.encode("utf-8", "surrogatepass")).hexdigest())
    if not _made(mark):
        yield False
        return
    try:
        yield True
    except BaseException:
        mark.unlink(missing_ok=True)
        _sync(mark.parent)
        raise


def _made(mark: Path) -> bool:
    """Make the mark, durably; False if it is there."""
    try:
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    _sync(mark)
    _sync(mark.parent)
    return True


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
