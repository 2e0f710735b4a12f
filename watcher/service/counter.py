"""What the commands may ask of the running daemon. Requests and answers are plain JSON."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from watcher.inbox.pulse import Pulse
from watcher.service.control import Refused
from watcher.store.desk import Desk

__all__ = ["Counter"]


class Counter:
    """Answers one request; the name of each method is the request's verb. Raises WatcherError with the reason."""

    def __init__(self, desk: Desk, pulses: Sequence[Pulse], ring: Callable[[], object]) -> None:
        self.desk = desk
        self.pulses = pulses
        self.ring = ring

    def __call__(self, request: Mapping[str, Any]) -> object:
        verbs: dict[str, Callable[..., object]] = {
            "jobs": self.jobs,
            "job": self.job,
            "retry": self.retry,
            "drop": self.drop,
            "status": self.status,
        }
        arguments = dict(request)
        verb = verbs.get(str(arguments.pop("verb", "")))
        if verb is None:
            raise Refused(
                f"this daemon does not know the request {request.get('verb')!r}; is it older than the command?"
            )
        try:
            return verb(**arguments)
        except TypeError as error:
            raise Refused(f"the request does not fit: {error}") from error

    def jobs(self, **filters: Any) -> object:
        return [asdict(entry) for entry in self.desk.entries(**filters)]

    def job(self, number: int) -> object:
        entry, history = self.desk.show(number)
        return {**asdict(entry), "history": [asdict(attempt) for attempt in history]}

    def retry(self, number: int) -> object:
        self.desk.retry(number, time.time())
        self.ring()
        return self.job(number)

    def drop(self, number: int) -> object:
        self.desk.drop(number, time.time())
        self.ring()
        return self.job(number)

    def status(self) -> object:
        """Ages are seconds since then; null means never."""
        now = time.monotonic()
        folders = []
        for pulse in self.pulses:
            ages = {
                name: round(now - at, 1) if at else None
                for name, at in (
                    ("connected", pulse.connected_at),
                    ("heard", pulse.heard_at),
                    ("scanned", pulse.scanned_at),
                )
            }
            told = {"account": pulse.account, "folder": pulse.folder, "state": pulse.state, "trouble": pulse.trouble}
            folders.append(
                {**told, "mails": pulse.mails, "connects": pulse.connects, "renewal": pulse.renewal, "age": ages}
            )
        return {"folders": folders, "work": self.desk.counts()}
