"""A trial as a person reads it."""

from pathlib import Path

from watcher.cli.terminal import say
from watcher.cli.trial.report import Call, Mail, Report, RunReport

__all__ = ["show_call", "show_end", "show_run"]


def show_call(handler: str, mail: Mail, call: Call) -> None:
    """What is about to happen."""
    field("handler", f"{handler}: {call.program}, {call.kind}")
    field("mail", f"{mail.source}, {mail.size} bytes: {mail.subject!r} from {mail.sender or 'nobody'}")
    field("", f"kind {mail.kind}; sender {mail.trust}")
    field("cwd", call.directory)
    for number, file in enumerate(call.files):
        field("files" if number == 0 else "", file)
    field("stdin", call.stdin)
    for number, (name, value) in enumerate(call.environment.items()):
        field("env" if number == 0 else "", f"{name}={value}")
    field("limit", f"{call.timeout:g} s")


def show_run(run: RunReport) -> None:
    """What came of one run."""
    print()
    field("run", f"attempt {run.attempt}, {run.seconds * 1000:.0f} ms")
    for number, line in enumerate(run.output.splitlines()):
        field("printed" if number == 0 else "", line)
    field("ended", f"{run.verdict}{': ' + run.reason if run.reason else ''}")
    for number, action in enumerate(run.actions):
        field("actions" if number == 0 else "", action)
    for number, change in enumerate(run.changes):
        field("changed" if number == 0 else "", change)
    field("next", run.next)


def show_end(report: Report, kept: Path | None) -> None:
    """What holds for all runs together."""
    print()
    field("rules", report.rule)
    if len(report.runs) > 1:
        same = "all runs did, printed and asked for the same; none after the first changed a file"
        for number, line in enumerate(report.differs or (same,)):
            field("again" if number == 0 else "", line)
    if kept:
        field("kept", str(kept))


def field(name: str, value: str) -> None:
    """One line. Everything in it may come from a mail."""
    say(f"{name:<9} {value}")
