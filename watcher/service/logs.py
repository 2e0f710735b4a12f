"""Log lines: one event, one line, printable, bounded. What mail or a server says can't forge a line or a terminal."""

import logging
import sys

from watcher.imap.signals import printable

__all__ = ["set_level", "start_log"]

LONGEST = 2000  #: characters of one line


class OneLine(logging.Formatter):
    """A traceback, which only a bug makes, keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        line = printable(super().formatMessage(record), LONGEST)
        return line if len(line) < LONGEST else line + " ..."


def start_log(level: str) -> None:
    """Send the log of all rooms to standard error, with the time when that is a terminal or a file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("imapclient").setLevel(logging.WARNING)  # it tells the dialogue, which is not for a log


def set_level(level: str) -> None:
    """From now on, log what has at least this weight."""
    logging.getLogger().setLevel(level.upper())
