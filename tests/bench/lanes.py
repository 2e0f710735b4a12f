"""
Does a handler that always fails, or hangs, delay another one? Mails come in at a steady pace, each for both handlers;
what is measured is the time from a job being due to its being done and durable.
"""

import threading
import time
from collections.abc import Iterator
from statistics import quantiles

from tests.bench.frame import Figure
from tests.bench.ledger import fill, opened
from watcher.daemon import open_after, open_dispatcher, open_jobs
from watcher.house import House
from watcher.model import Decision, Kind, Outcome, Plan, Status, Step, Verdict

__all__ = ["measured"]

_FINE = {"fine.py": "def handle(message):\n    message.subject\n"}
_OTHERS = {
    "that always fails": {"other": "#!/bin/sh\nexit 75\n"},
    "that hangs": {"other": "#!/bin/sh\nexec sleep 1000\n"},
}
_PACE = 50.0  #: mails a second
_PATIENCE = 60.0
_WORST = 1.1


def measured(quick: bool) -> Iterator[Figure]:
    """A handler alone, then beside each of the others."""
    mails = 100 if quick else 1000
    alone = _delays(_FINE, mails)
    yield Figure("lanes", "a handler alone: p99", alone[98] * 1000, "ms")
    for what, other in _OTHERS.items():
        beside = _delays(_FINE | other, mails)
        for percent in (50, 99):
            grown = beside[percent - 1] / alone[percent - 1]
            judged = ("under 1.1", grown < _WORST) if percent == 99 else ("", None)
            yield Figure("lanes", f"beside one {what}: p{percent} / alone", grown, "x", *judged)


def _delays(handlers: dict[str, str], mails: int) -> list[float]:
    """Percentiles of the delay of the handler `fine`, in seconds."""
    plan = Plan(tuple(Step(file.split(".")[0], file) for file in handlers))
    with opened(handlers) as house:
        fill(house, mails)
        jobs = open_jobs(house, open_dispatcher(house), open_after(house))
        works = house.ledger.claim(Kind.UNPACK, time.time(), {"": mails})
        for work in works:
            house.unpacking.take_apart(work)
        pause, began = threading.Event(), time.time()
        for number, work in enumerate(works):
            pause.wait(max(0.0, began + number / _PACE - time.time()))
            house.ledger.finish(work, Outcome(Verdict.DONE, plan=plan), Decision(Status.DONE), time.time())
            jobs.bell.ring()
        return quantiles(_taken(house, mails), n=100)


def _taken(house: House, mails: int) -> list[float]:
    """How long each of the fine ones took, once all are done."""
    query = (
        "SELECT job.at - unpack.at AS taken FROM work "
        "JOIN history AS job ON job.work = work.id AND job.status = 'done' "
        "JOIN work AS first ON first.mail = work.mail AND first.kind = 'unpack' "
        "JOIN history AS unpack ON unpack.work = first.id AND unpack.status = 'done' WHERE work.name = 'fine'"
    )
    until = time.monotonic() + _PATIENCE
    while len(rows := house.ledger.database.read(query)) < mails:
        if house.ending.wait(0.1) or time.monotonic() > until:
            raise RuntimeError(house.ending.reason or f"{len(rows)} of {mails} are done")
    return [row["taken"] for row in rows]
