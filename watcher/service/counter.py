"""What the commands may ask of the running daemon. Requests and answers are plain JSON."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from inspect import BoundArguments, signature
from typing import Any

from watcher.inbox.pulse import Pulse
from watcher.service.control import Refused
from watcher.store.desk import Desk

__all__ = ["LARGEST", "Counter"]

LARGEST = (1 << 63) - 1  #: number that the ledger can hold

Verb = Callable[..., object]


class Counter:
    """Answers one request; the name of each method is the request's verb. Raises WatcherError with the reason."""

    def __init__(self, desk: Desk, pulses: Sequence[Pulse], ring: Callable[[], object]) -> None:
        self.desk = desk
        self.pulses = pulses
        self.ring = ring

    def __call__(self, request: Mapping[str, Any]) -> object:
        verbs: dict[str, Verb] = {
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
        bound = fit(verb, arguments)
        return verb(*bound.args, **bound.kwargs)

    def jobs(
        self,
        *,
        status: str | None = None,
        account: str | None = None,
        handler: str | None = None,
        kind: str | None = None,
        limit: int = 100,
    ) -> object:
        entries = self.desk.entries(status=status, account=account, handler=handler, kind=kind, limit=limit)
        rows = [asdict(entry) for entry in entries]
        return [{name: value for name, value in row.items() if name != "output"} for row in rows]

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


def fit(verb: Verb, arguments: Mapping[str, Any]) -> BoundArguments:
    """The arguments of a request, which anybody may have written, held against what the verb takes. Raises Refused."""
    try:
        bound = signature(verb).bind(**arguments)
    except TypeError as error:
        raise Refused(f"the request does not fit: {error}") from error
    for name, value in bound.arguments.items():
        if not (isinstance(value, bound.signature.parameters[name].annotation) and storable(value)):
            raise Refused(f"the request does not fit: {name} can't be {value!r:.100}")
    return bound


def storable(value: object) -> bool:
    """Whether the ledger could hold it: no half characters, no number beyond its own."""
    match value:
        case bool():
            return False
        case int():
            return 1 <= value <= LARGEST
        case str():
            return value.isprintable()
    return True
