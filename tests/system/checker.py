"""
Judges a run of the daemon from what was delivered, what the handlers wrote, and what the ledger and the server hold.

Pure: all evidence is handed in, and every broken promise comes back as one line in words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.system.handler_log import Event, Phase

__all__ = ["Evidence", "Job", "violations"]


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work as the ledger shows it."""

    kind: str  #: "job", "after", ...
    name: str  #: the handler, or the after-action's verb
    mail: str  #: name of its spool folder
    status: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known after a run in which every handler was to succeed."""

    cases: Sequence[int]  #: X-Case of every mail delivered
    handlers: Sequence[str]  #: that every mail was to reach
    events: Sequence[Event]  #: the handlers' log
    jobs: Sequence[Job]  #: of every kind
    unseen: Sequence[str] = ()  #: mails on the server that still lack what the rule's `then` asks for
    spool: frozenset[str] = frozenset()  #: names in the spool
    left_over: Sequence[str] = ()  #: processes that outlived the daemon


def violations(evidence: Evidence) -> list[str]:
    """Every broken promise, in words; empty when all was well."""
    return [
        *_unreached(evidence),
        *_entered_twice(evidence.events),
        *_run_again(evidence.events),
        *_unfinished(evidence.jobs),
        *_disagreeing(evidence),
        *(f"not done on the server: {mail}" for mail in evidence.unseen),
        *_orphans(evidence),
        *(f"outlived the daemon: {process}" for process in evidence.left_over),
    ]


def _unreached(evidence: Evidence) -> Iterator[str]:
    reached = {(event.case, event.handler) for event in evidence.events if event.phase is Phase.END}
    for case in evidence.cases:
        for handler in evidence.handlers:
            if (case, handler) not in reached:
                yield f"mail {case} never reached {handler}"
    for case, handler in sorted(
        reached - {(case, handler) for case in evidence.cases for handler in evidence.handlers}
    ):
        yield f"mail {case} reached {handler}, which nobody asked for"


def _entered_twice(events: Iterable[Event]) -> Iterator[str]:
    """One entry for one mail, one idempotency key for one handler on one mail, however often it runs."""
    entries: dict[int, set[str]] = defaultdict(set)
    keys: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in events:
        if event.phase is not Phase.KILLED:
            entries[event.case].add(event.mail)
            keys[event.handler, event.case].add(event.key)
    for case, names in entries.items():
        if len(names) > 1:
            yield f"mail {case} was entered {len(names)} times, as {', '.join(sorted(names))}"
    for (handler, case), given in keys.items():
        if len(given) > 1:
            yield f"{handler} was given mail {case} under {len(given)} keys"
    jobs = Counter(key for (handler, _), given in keys.items() for key in given)
    yield from (f"key {key} was given to {count} different jobs" for key, count in jobs.items() if count > 1)


def _run_again(events: Iterable[Event]) -> Iterator[str]:
    """A job may start again only after a kill, under a new attempt, and never once its success is on record."""
    latest: dict[tuple[str, str], int] = {}  # job -> its last attempt
    since_kill: set[tuple[str, str]] = set()
    recorded: set[tuple[str, str]] = set()
    for event in events:
        job = (event.handler, event.mail)
        if event.phase is Phase.KILLED:
            since_kill.clear()
            if event.mail != "-":
                recorded.add(job)
        if event.phase is not Phase.START:
            continue
        who = f"{event.handler} on mail {event.case}, attempt {event.attempt}"
        if job in recorded:
            yield f"{who}: ran although its success was on record"
        if job in since_kill:
            yield f"{who}: ran again although nothing had interrupted it"
        if event.attempt <= latest.get(job, 0):
            yield f"{who}: attempt {latest[job]} had already run"
        latest[job] = max(event.attempt, latest.get(job, 0))
        since_kill.add(job)


def _unfinished(jobs: Iterable[Job]) -> Iterator[str]:
    return (f"{job.kind} {job.name} of {job.mail} is {job.status}" for job in jobs if job.status != "done")


def _disagreeing(evidence: Evidence) -> Iterator[str]:
    """Ledger against log: nothing done that did not end, nothing run that was not claimed, no job for two."""
    ended = {(event.handler, event.mail) for event in evidence.events if event.phase is Phase.END}
    starts = Counter((event.handler, event.mail) for event in evidence.events if event.phase is Phase.START)
    jobs = [job for job in evidence.jobs if job.kind == "job"]
    for job in jobs:
        who = (job.name, job.mail)
        if job.status == "done" and who not in ended:
            yield f"{job.name} of {job.mail} is done but never came to its end"
        if starts[who] > job.attempts:
            yield f"{job.name} of {job.mail} ran {starts[who]} times in {job.attempts} attempts"
    known = Counter((job.name, job.mail) for job in jobs)
    yield from (
        f"{name} of {mail} ran but the ledger does not know it" for name, mail in starts if (name, mail) not in known
    )
    yield from (
        f"{name} of {mail} is in the ledger {count} times" for (name, mail), count in known.items() if count > 1
    )


def _orphans(evidence: Evidence) -> Iterator[str]:
    mails = {job.mail for job in evidence.jobs}
    return (f"orphan in the spool: {name}" for name in sorted(evidence.spool - mails))
