"""
Log lines: one event, one line, printable, bounded, without a secret. What mail or a server says can't forge a line or a
terminal. What a line is about (account, folder, handler...) can be searched by in JSON and in the journal.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from watcher.config.masking import mask
from watcher.printing import printable
from watcher.service.systemd import JournalHandler, writes_to_journal

__all__ = ["fields_of", "set_level", "start_log"]

LONGEST = 2000  #: characters of one line


class OneLine(logging.Formatter):
    """A traceback, which only a bug makes, keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        line = printable(super().formatMessage(record), LONGEST)
        return line if len(line) < LONGEST else line + " ..."

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class JsonLine(OneLine):
    """One JSON object a line, the time in UTC (RFC 3339)."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix("watcher."),
            "message": super().format(record),
            **{name: mask(value) if isinstance(value, str) else value for name, value in fields_of(record).items()},
        }
        return json.dumps(told, ensure_ascii=True, default=str)


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """What the line is about, as those of its arguments tell that know: a mail, a watched folder, a piece of work."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    return {name: value for each in arguments for name, value in getattr(each, "log_fields", {}).items()}


def start_log(level: str, form: str = "text") -> None:
    """Send the log of all rooms to standard error as "text" or "json", to the journal if that is what stands there."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonLine("%(message)s"))
    elif writes_to_journal():
        handler = JournalHandler(fields_of)
        handler.setFormatter(OneLine("%(message)s"))
    else:
        handler.setFormatter(OneLine("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in ("imapclient", "watchdog"):  # they tell the dialogue, and each time that a file is read
        logging.getLogger(library).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    """From now on, log what has at least this weight."""
    logging.getLogger().setLevel(level.upper())
