"""The checker finds nothing wrong in a good run, and each made-up violation of one."""

from dataclasses import replace

import pytest

from tests.system.checker import Evidence, Job, violations
from tests.system.handler_log import Event, Phase

START, END, KILLED = Phase.START, Phase.END, Phase.KILLED
HANDLERS = ("shell", "python")


def ran(handler: str, case: int, attempt: int = 1, *phases: Phase) -> list[Event]:
    return [
        Event(phase, handler, f"mail-{case}", f"{handler}-{case}", attempt, case) for phase in phases or (START, END)
    ]


def job(name: str, case: int, status: str = "done", attempts: int = 1, kind: str = "job") -> Job:
    return Job(kind, name, f"mail-{case}", status, attempts)


GOOD = Evidence(
    cases=(1, 2),
    handlers=HANDLERS,
    events=[
        *ran("shell", 1),
        *ran("python", 1, 1, START),
        Event(KILLED),
        Event(KILLED, "shell", "mail-1"),
        *ran("python", 1, 2),
        *ran("shell", 2),
        *ran("python", 2),
    ],
    jobs=[
        job("shell", 1),
        job("python", 1, attempts=2),
        job("shell", 2),
        job("python", 2),
        *(job("seen", case, kind="after") for case in (1, 2)),
    ],
    spool=frozenset({"mail-1", "mail-2"}),
)


def test_a_good_run_breaks_no_promise():
    assert violations(GOOD) == []


def test_a_job_killed_after_its_end_but_before_its_record_may_run_again():
    events = [*ran("shell", 1), Event(KILLED), *ran("shell", 1, 2)]
    evidence = Evidence((1,), ("shell",), events, [job("shell", 1, attempts=2)])
    assert violations(evidence) == []


def without(events, *gone):
    return [event for event in events if event not in gone]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (replace(GOOD, cases=(1, 2, 3)), "mail 3 never reached shell"),
        (replace(GOOD, cases=(1,)), "mail 2 reached python, which nobody asked for"),
        (replace(GOOD, events=without(GOOD.events, *ran("shell", 2))), "mail 2 never reached shell"),
        (replace(GOOD, events=without(GOOD.events, *ran("shell", 2))), "done but never came to its end"),
        (
            replace(GOOD, events=[*GOOD.events, Event(START, "shell", "other", "shell-2", 1, 2)]),
            "mail 2 was entered 2 times, as mail-2, other",
        ),
        (
            replace(GOOD, events=[*GOOD.events, Event(START, "shell", "other", "shell-2", 1, 2)]),
            "shell of other ran but the ledger does not know it",
        ),
        (replace(GOOD, events=[*GOOD.events, *ran("shell", 1, 2)]), "ran although its success was on record"),
        (replace(GOOD, events=[*GOOD.events, *ran("shell", 2, 2)]), "ran again although nothing had interrupted it"),
        (
            replace(GOOD, events=[*GOOD.events, Event(KILLED), *ran("shell", 2, 1)]),
            "shell on mail 2, attempt 1: attempt 1 had already run",
        ),
        (replace(GOOD, events=[*GOOD.events, *ran("shell", 2, 2)]), "ran 2 times in 1 attempts"),
        (
            replace(GOOD, events=[*GOOD.events, Event(KILLED), Event(START, "shell", "mail-2", "new", 2, 2)]),
            "shell was given mail 2 under 2 keys",
        ),
        (
            replace(GOOD, events=[*GOOD.events, Event(KILLED), Event(START, "shell", "mail-2", "shell-1", 2, 2)]),
            "key shell-1 was given to 2 different jobs",
        ),
        (replace(GOOD, jobs=[*GOOD.jobs, job("seen", 9, "waiting", kind="after")]), "after seen of mail-9 is waiting"),
        (replace(GOOD, jobs=[*GOOD.jobs, job("shell", 1)]), "shell of mail-1 is in the ledger 2 times"),
        (replace(GOOD, unseen=["alice/INBOX 7"]), "not done on the server: alice/INBOX 7"),
        (replace(GOOD, spool=GOOD.spool | {"mail-3"}), "orphan in the spool: mail-3"),
        (replace(GOOD, left_over=["4711 sh record"]), "outlived the daemon: 4711 sh record"),
    ],
)
def test_each_violation_is_found(broken, words):
    assert any(words in line for line in violations(broken)), violations(broken)


@pytest.mark.parametrize("status", ["waiting", "running", "dead", "skipped"])
def test_work_that_did_not_succeed_is_found(status):
    jobs = [*GOOD.jobs[1:], job("shell", 1, status)]
    assert violations(replace(GOOD, jobs=jobs)) == [f"job shell of mail-1 is {status}"]
