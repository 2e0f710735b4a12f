"""What a trial tells: the call, each run, and what the daemon would do. The form of `try --json`."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watcher.cli.trial.bench import Bench, Run
from watcher.config import Config, HandlerSettings
from watcher.jobs.program import HandlerKind, Program
from watcher.model import Status, Verdict
from watcher.rules.route import route
from watcher.rules.sight import taken_apart

__all__ = ["Call", "Mail", "Report", "RunReport", "call_of", "mail_of", "next_step", "report_of_run", "rule_says"]

#: Variables whose values are nobody's business who looks over a shoulder.
SECRET = re.compile(r"TOKEN|SECRET|PASSW|_KEY$|^KEY$|CREDENTIAL", re.IGNORECASE)

KINDS = {
    HandlerKind.PROGRAM: "a program",
    HandlerKind.PYTHON: "warm Python, whose function is called",
    HandlerKind.WEBHOOK: "a webhook",
}


@dataclass(frozen=True, slots=True)
class Mail:
    """The mail it was tried on."""

    source: str  #: file, or what it is
    size: int  #: bytes
    subject: str
    sender: str  #: address in From
    kind: str
    trust: str  #: verdict on the sender, and why


@dataclass(frozen=True, slots=True)
class Call:
    """How the handler is called."""

    program: str
    kind: str
    directory: str  #: the current one
    files: tuple[str, ...]  #: in it
    stdin: str
    environment: dict[str, str]  #: secrets hidden
    timeout: float  #: seconds


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run."""

    attempt: int
    seconds: float
    verdict: str  #: of contract 1: done, stop, later, never, crashed, hold
    reason: str
    output: str  #: printable
    actions: tuple[str, ...]
    changes: tuple[str, ...]  #: files at the paths that its settings name: + new, ~ changed, - gone
    next: str  #: what the daemon would do


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    handler: str
    mail: Mail
    call: Call
    runs: tuple[RunReport, ...]
    rule: str  #: whether a rule gives it this mail, in words
    differs: tuple[str, ...]  #: in which later runs were unlike the first; empty with one run


def mail_of(on: Bench, source: str) -> Mail:
    """The mail on the bench."""
    message = on.message
    sender = message.from_[0].address if message.from_ else ""
    trust = f"{message.trust.verdict}: {message.trust.reason}"
    return Mail(source, message.size, message.subject, sender, message.nature.kind, trust)


def call_of(on: Bench, program: Program, settings: HandlerSettings, environment: Mapping[str, str]) -> Call:
    """How it will be called."""
    stdin = {
        "mail": f"message.eml, {on.message.size} bytes",
        "json": f"message.json, {on.folder.facts.stat().st_size} bytes",
        "none": "nothing",
    }
    reads = {
        HandlerKind.PROGRAM: stdin[settings.stdin],
        HandlerKind.PYTHON: "nothing",
        HandlerKind.WEBHOOK: f"nothing; the mail is posted as {settings.format}",
    }
    hidden = {name: "(not shown)" for name in settings.env if SECRET.search(name)}
    files = (str(path.relative_to(on.folder.path)) for path in on.folder.path.rglob("*") if path.is_file())
    return Call(
        program=" ".join(program.argv) or str(settings.url),
        kind=KINDS[program.kind],
        directory=str(on.folder.path),
        files=tuple(sorted(files)),
        stdin=reads[program.kind],
        environment={**environment, **hidden},
        timeout=settings.timeout,
    )


def report_of_run(run: Run, settings: HandlerSettings, changed: Sequence[str]) -> RunReport:
    """One run in words."""
    outcome = run.outcome
    letters = tuple(f"{one.action} {', '.join((*one.to, *one.cc, *one.bcc))}".rstrip() for one in run.letters)
    actions = (*map(str, outcome.actions), *(f"{letter} (not sent by `try`)" for letter in letters))
    step = next_step(run, settings)
    return RunReport(
        run.work.attempt, round(run.seconds, 3), outcome.verdict, outcome.reason, outcome.output, actions,
        tuple(changed), step,
    )  # fmt: skip


def next_step(run: Run, settings: HandlerSettings) -> str:
    """What the daemon would do now."""
    decision, verdict = run.decision, run.outcome.verdict
    wait = (decision.due or 0.0) - run.decided_at
    if verdict is Verdict.HOLD:
        return f"pause: all mail of this handler waits, no attempt is used; it is looked at again in {wait:.0f} s"
    if decision.status is Status.WAITING:
        after = f"later, in about {wait:.0f} s: attempt {run.work.attempt + 1} of {settings.attempts}"
        return f"{after}; crashes so far {run.work.crashes + 1}, the third is the last" if decision.crashed else after
    if decision.status is Status.DEAD:
        return f"dead letter, kept until `imap-watcher jobs retry` or `drop`: {decision.reason}"
    actions = sorted(run.outcome.actions, key=lambda action: action.verb.rank)
    then = f"; once all handlers of the mail are done: {', '.join(map(str, actions))}" if actions else ""
    chain = ", and the later handlers of the rule are skipped" if verdict is Verdict.STOP else ""
    return f"done, never again on this mail{chain}{then}"


def rule_says(on: Bench, config: Config | None, name: str) -> str:
    """Whether a rule gives this mail to the handler, and what it wants done then."""
    if config is None:
        return "there is no configuration yet, so no rule"
    plan = route(config.rules, taken_apart(on.folder, on.message, time.time()))
    chains = [step.chain for step in plan.steps if step.handler == name]
    if not chains:
        return "none gives this mail to it"
    then = ", ".join(map(str, plan.then)) or "nothing"
    dead = ", ".join(str(action) for chain, action in plan.on_dead if chain in chains)
    return f"{', '.join(chains)}: then {then}" + (f"; on_dead {dead}" if dead else "")
