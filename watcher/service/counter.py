"""What the commands may ask of the running daemon. Requests and answers are plain JSON."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from inspect import signature
from typing import Any, TypeVar

from watcher.printing import prints
from watcher.service.control import Refused
from watcher.store.desk import Desk, Filter

__all__ = ["LARGEST", "Counter", "Verb"]

LARGEST = (1 << 63) - 1  #: number that the ledger can hold

T = TypeVar("T")
Verb = Callable[..., object]


class Counter:
    """Answers one request; the name of each method is the request's verb. Raises WatcherError with the reason."""

    def __init__(self, desk: Desk, ring: Callable[[], object], others: Mapping[str, Verb] | None = None) -> None:
        """`ring`: there may be work. `others`: what a daemon that runs can answer besides, by verb."""
        self.desk = desk
        self.ring = ring
        self.others = others or {}

    def __call__(self, request: Mapping[str, Any]) -> object:
        verbs: dict[str, Verb] = {
            "jobs": self.jobs,
            "job": self.job,
            "retry": self.retry,
            "again": self.again,
            "drop": self.drop,
            **self.others,
        }
        arguments = dict(request)
        verb = verbs.get(str(arguments.pop("verb", "")))
        if verb is None:
            raise Refused(
                f"this daemon does not know the request {request.get('verb')!r}; is it older than the command?"
            )
        return fitted(verb, arguments)

    def jobs(self, **wanted: object) -> object:
        """Arguments are the fields of Filter."""
        rows = [asdict(entry) for entry in self.desk.entries(fitted(Filter, wanted))]
        return [{name: value for name, value in row.items() if name != "output"} for row in rows]

    def job(self, number: int) -> object:
        entry, history = self.desk.show(number)
        return {**asdict(entry), "history": [asdict(attempt) for attempt in history]}

    def retry(self, number: int) -> object:
        self.desk.retry(number, time.time())
        self.ring()
        return self.job(number)

    def again(self, number: int) -> object:
        made = self.desk.again(number, time.time())
        self.ring()
        return self.job(made)

    def drop(self, number: int) -> object:
        self.desk.drop(number, time.time())
        self.ring()
        return self.job(number)


def fitted(verb: Callable[..., T], arguments: Mapping[str, Any]) -> T:
    """Call it with the arguments of a request, which anybody may have written, if it takes such. Raises Refused."""
    try:
        bound = signature(verb).bind(**arguments)
    except TypeError as error:
        raise Refused(f"the request does not fit: {error}") from error
    for name, value in bound.arguments.items():
        if not (isinstance(value, bound.signature.parameters[name].annotation) and storable(value)):
            raise Refused(f"the request does not fit: {name} can't be {value!r:.100}")
    return verb(*bound.args, **bound.kwargs)


def storable(value: object) -> bool:
    """Whether the ledger could hold it: no half characters, no number beyond its own."""
    match value:
        case bool():
            return False
        case int():
            return 1 <= value <= LARGEST
        case str():
            return prints(value)
    return True
