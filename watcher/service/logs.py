"""Log lines: one event, one line, printable, bounded. What mail or a server says can't forge a line or a terminal."""

import logging
import re
import sys

__all__ = ["start_log"]

LONGEST = 2000  #: characters of one line

#: C0 and C1 controls, line and paragraph separators, bidi controls, lone surrogates.
UNPRINTABLE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


class OneLine(logging.Formatter):
    """A traceback, which only a bug makes, keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        line = UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", super().formatMessage(record))
        return line if len(line) <= LONGEST else line[:LONGEST] + " ..."


def start_log(level: str) -> None:
    """Send the log of all rooms to standard error, with the time when that is a terminal or a file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("imapclient").setLevel(logging.WARNING)  # it tells the dialogue, which is not for a log
