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

#: Why a write fails though nothing is wrong with us: a full disk, a quota, a limit, a disk or terminal that is gone.
REFUSED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


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
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - its number is wanted
            os.dup2(nowhere.fileno(), 1)  # else the interpreter tries it again at its end, and complains
        if isinstance(error, BrokenPipeError):  # who read it has seen enough
            sys.exit(exits.FAILED)
        if error.errno not in REFUSED:
            raise
        where = error.filename or "what this command prints"
        raise WatcherError(f"{where} can't be written: {error.strerror}") from error
