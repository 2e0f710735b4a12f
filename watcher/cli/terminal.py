"""What a terminal is shown."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from watcher.cli import exits
from watcher.errors import WatcherError
from watcher.imap.signals import printable

__all__ = ["complain", "say", "writing"]

LONGEST = 2000  #: characters of one line

#: Why a write fails though nothing is wrong with us: full disk, quota, limit, no disk or terminal, nobody reads.
REFUSED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE})


def say(line: str) -> None:
    """Print one line. Words of a server or of a mail in it can't move the cursor, nor forge another line."""
    print(printable(line, LONGEST))


def complain(line: str) -> None:
    """The same on standard error, under our name."""
    print(f"imap-watcher: {printable(line, LONGEST)}", file=sys.stderr)


@contextmanager
def writing() -> Iterator[None]:
    """All that is printed within is out at the end. Raises WatcherError if a disk is full, for that or for a file."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - its number is wanted
            os.dup2(nowhere.fileno(), 1)  # else the interpreter tries it again at its end, and complains
        if error.errno == errno.EPIPE:  # whoever read it has seen enough
            sys.exit(exits.FAILED)
        where = error.filename or "what this command prints"
        raise WatcherError(f"{where} can't be written: {error.strerror}") from error
