"""Reading a file that somebody else may have put in place."""

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_regular"]


def read_regular(path: Path, most: int = -1) -> tuple[bytes, os.stat_result]:
    """
    Up to `most` bytes of a regular file, and what is known of the very file that was read, so of its mode too.

    Raises OSError, also for whatever is not a regular file; never blocks on a named pipe.
    """
    with open(path, "rb", opener=_at_once) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return file.read(most), found


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
