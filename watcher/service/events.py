"""The last events, for those who want to see them as they come. An event is a log line with all its fields."""

import json
import logging
import threading
from collections import deque
from collections.abc import Collection

from watcher.service.logs import JsonLine

__all__ = ["Events"]

KEPT = 2000  #: events
MOST = 500  #: events told at once


class Events(logging.Handler):
    """Takes each event in; answers who asks for those after the last one they saw."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonLine("%(message)s"))
        self.guard = threading.Lock()
        self.kept: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self.number = 0

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        with self.guard:
            self.number += 1
            self.kept.append((self.number, line))

    def forget(self, keys: Collection[str]) -> None:
        """Forget what was told of the mails with these keys."""
        with self.guard:
            told = [(each, line) for each, line in self.kept if json.loads(line).get("key") not in keys]
            self.kept = deque(told, maxlen=KEPT)

    def tell(self, *, after: int | None = None, last: int | None = None) -> object:
        """Events behind number `after`, oldest first, or the `last` ones; `number` is that of the newest."""
        with self.guard:
            kept, number = list(self.kept), self.number
        found = [(each, line) for each, line in kept if after is None or each > after or number < after]
        found = found[-last:] if last else found[:MOST]
        told = [{"number": each, **json.loads(line)} for each, line in found]
        return {"number": found[-1][0] if found else number, "events": told}
