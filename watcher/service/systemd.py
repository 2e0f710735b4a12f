"""systemd: what it is told of our life (sd_notify(3)), and its journal. All of it is left out where it is not there."""

import logging
import os
import time
from collections.abc import Callable, Mapping

from watcher.errors import ConfigError

try:
    from systemd import daemon, journal
except ImportError:  # the extra `systemd` was not asked for
    daemon = journal = None

__all__ = ["JournalHandler", "ServiceManager", "writes_to_journal"]

#: sd-daemon(3), by the weights of `logging`.
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class ServiceManager:
    """Tells systemd how we are. Safe to use from many threads; silent if nobody listens."""

    def __init__(self) -> None:
        """Raises ConfigError if systemd waits for word from us, and we can't give it."""
        self.listens = bool(os.environ.get("NOTIFY_SOCKET"))
        if self.listens and daemon is None:
            raise ConfigError(
                ["systemd waits for word from us (Type=notify), which needs: pip install 'imap-watcher[systemd]'"]
            )
        guarded = os.environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        period = os.environ.get("WATCHDOG_USEC", "") if guarded else ""
        #: Seconds within which it must hear that we are well, or it kills us; None: it does not care.
        self.watchdog = int(period) / 1e6 if period.isdigit() and self.listens else None

    def ready(self, status: str) -> None:
        """The start, or a reload, is over."""
        self._tell("READY=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={text}")

    def well(self) -> None:
        """All moves: feeds the watchdog."""
        if self.watchdog is not None:
            self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """`ready` ends it. The time is there for newer versions (Type=notify-reload)."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, seconds: float, status: str) -> None:
        """The end has begun, and may take so long from now on."""
        self._tell("STOPPING=1", f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _tell(self, *lines: str) -> None:
        if self.listens:
            daemon.notify("\n".join(lines))


class JournalHandler(logging.Handler):
    """Writes each event with fields of its own, so that `journalctl ACCOUNT=support` finds it."""

    def __init__(self, fields_of: Callable[[logging.LogRecord], Mapping[str, object]]) -> None:
        """`fields_of` tells what a line is about."""
        super().__init__()
        self.fields_of = fields_of

    def emit(self, record: logging.LogRecord) -> None:
        told = {name.upper(): str(value) for name, value in self.fields_of(record).items()}
        weight = PRIORITIES.get(record.levelno, 6)
        journal.send(
            self.format(record),
            CODE_FILE=record.pathname,
            CODE_LINE=record.lineno,
            CODE_FUNC=record.funcName,
            PRIORITY=weight,
            SYSLOG_IDENTIFIER="imap-watcher",
            **told,
        )


def writes_to_journal() -> bool:
    """Whether standard error is the journal (systemd.exec(5), JOURNAL_STREAM), and we can speak to it directly."""
    if journal is None:
        return False
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
