"""What a terminal is shown."""

import sys

from watcher.imap.signals import printable

__all__ = ["complain", "say"]

LONGEST = 2000  #: characters of one line


def say(line: str) -> None:
    """Print one line. Words of a server or of a mail in it can't move the cursor, nor forge another line."""
    print(printable(line, LONGEST))


def complain(line: str) -> None:
    """The same on standard error, under our name."""
    print(f"imap-watcher: {printable(line, LONGEST)}", file=sys.stderr)
