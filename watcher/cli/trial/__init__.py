"""`imap-watcher try`: one handler on one mail, as the daemon would run it."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import IO, Annotated

import typer

from watcher.cli import exits
from watcher.cli.completion import account_names, handler_names
from watcher.cli.settings import account_named
from watcher.cli.terminal import AsJson, show_json
from watcher.cli.trial.bench import Bench, Run, bench, lay_out, runs, stand_in, standing_in, surroundings
from watcher.cli.trial.page import show_call, show_end, show_run
from watcher.cli.trial.report import Report, RunReport, call_of, mail_of, report_of_run, rule_says
from watcher.cli.trial.traces import changes, look, named_paths
from watcher.cli.workshop import Workshop, open_workshop
from watcher.config import HandlerSettings, find_handler
from watcher.config.programs import find_program
from watcher.errors import WatcherError
from watcher.jobs.program import program
from watcher.model import Verdict

__all__ = ["Handler", "located", "try_handler"]


Handler = Annotated[
    str, typer.Argument(help="Name, or a file anywhere.", metavar="HANDLER", autocompletion=handler_names)
]


def try_handler(
    context: typer.Context,
    handler: Handler,
    mail: Annotated[str, typer.Argument(help="A saved mail; - reads it; else a built-in one.", metavar="[MAIL]")] = "",
    fail_with: Annotated[
        int | None,
        typer.Option(min=0, max=255, help="Run nothing, but show what follows from this exit code.", metavar="CODE"),
    ] = None,
    slow: Annotated[
        bool, typer.Option("--slow", help="Run something that never ends in its place, for 1 s, and show what follows.")
    ] = False,
    times: Annotated[
        int, typer.Option(min=1, max=20, help="Run it so often under one key: what does a repeat change?")
    ] = 1,
    attempt: Annotated[
        int, typer.Option(min=1, max=1000, help="As the attempt of this number; those before have failed alike.")
    ] = 1,
    account: Annotated[
        str, typer.Option(help="Judge the sender as for it; else for the first.", autocompletion=account_names)
    ] = "",
    keep: Annotated[
        Path | None, typer.Option(help="Keep the mail folder in this new directory.", metavar="DIR")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Run a handler on a saved mail, as the daemon would.

    With its settings; shows the call, what it printed and asked for, and what the daemon would do next. It really runs:
    what it does outside of the mail is done. No server is asked, nothing is recorded, no configuration is needed. Ends
    with 1 if the handler did not succeed.

    Examples: imap-watcher try book; imap-watcher try ./book.py invoice.eml --times 2; imap-watcher try book --fail-with
    75 --attempt 12
    """
    if slow and fail_with is not None:
        raise typer.BadParameter("--slow and --fail-with are two different ends")
    workshop = open_workshop(context)
    handlers, name = located(workshop, handler)
    instead = "exec sleep 3600" if slow else "" if fail_with is None else f"exit {fail_with}"
    wanted = Wanted(name, handlers, mail or "a built-in sample", instead, attempt, times, quiet=as_json)
    with opened(mail) as raw, bench(keep) as root:
        on = lay_out(root, raw, name, workshop.config, chosen_account(workshop, account))
        report = carried_out(wanted, on, workshop)
    if as_json:
        show_json(report)
    else:
        show_end(report, keep)
    if not instead and report.runs[-1].verdict not in {Verdict.DONE, Verdict.STOP}:
        raise typer.Exit(exits.FAILED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be tried."""

    name: str  #: of the handler
    handlers: Path  #: folder of its file
    source: str  #: of the mail, in words
    instead: str  #: command of a shell that runs in its place, "" for the handler itself
    attempt: int  #: number of the first run
    times: int
    quiet: bool  #: show nothing on the way


def carried_out(wanted: Wanted, on: Bench, workshop: Workshop) -> Report:
    """Run what is wanted, and tell of it as it goes. Raises HandlerMissing, CannotStart."""
    settings, handlers = workshop.settings(wanted.name), wanted.handlers
    environment = {} if settings.url and not wanted.instead else surroundings(on, settings)
    if wanted.instead:
        handlers = stand_in(on.root, wanted.name, wanted.instead)
        settings = standing_in(settings, slow=not wanted.instead.startswith("exit"))
    mail = mail_of(on, wanted.source)
    call = call_of(on, program(partial(find_handler, handlers), wanted.name, settings), settings, environment)
    if not wanted.quiet:
        show_call(wanted.name, mail, call)
    done: list[RunReport] = []
    for run, changed in watched(on, handlers, settings, wanted.attempt, wanted.times):
        done.append(report_of_run(run, settings, changed))
        if not wanted.quiet:
            show_run(done[-1])
    rule = rule_says(on, workshop.config, wanted.name)
    return Report(wanted.name, mail, call, tuple(done), rule, differences(done))


def located(workshop: Workshop, handler: str) -> tuple[Path, str]:
    """The folder of handlers, and the name of this one; what runs for it need not be a file. Raises HandlerMissing."""
    path = Path(handler)
    if "/" not in handler and not path.is_file():
        find_program(partial(find_handler, workshop.handlers), handler, workshop.settings(handler))
        return workshop.handlers, handler
    if not path.is_file():
        raise WatcherError(f"{path} is not a file; a handler is named, or given as a file")
    return path.absolute().parent, path.name.split(".", 1)[0]


def chosen_account(workshop: Workshop, account: str) -> str:
    """The name of the account whose mail it plays. Raises WatcherError if there is none of this name."""
    if workshop.config is None and account:
        raise WatcherError(f"there is no account {account}, as {workshop.path} is not there")
    if workshop.config is None:
        return ""
    return (account_named(workshop.config, account) if account else workshop.config.accounts[0]).name


@contextmanager
def opened(mail: str) -> Iterator[IO[bytes]]:
    """The raw mail. Raises WatcherError."""
    with ExitStack() as stack:
        try:
            if mail == "-":
                if sys.stdin is None:
                    raise WatcherError("there is no standard input to read the mail from")
                source: IO[bytes] = sys.stdin.buffer
            else:
                path = Path(mail) if mail else files(__package__) / "sample.eml"
                source = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise WatcherError(f"{mail}: {error.strerror}") from error
        if mail != "-" and stat.S_ISCHR(os.fstat(source.fileno()).st_mode):
            raise WatcherError(f"{mail}: is not a file")  # and may have no end
        yield source


def watched(
    on: Bench, handlers: Path, settings: HandlerSettings, attempt: int, times: int
) -> Iterator[tuple[Run, list[str]]]:
    """Each run, and the files that it has changed where its settings point."""
    paths = named_paths(settings.env)
    before = look(paths)
    for run in runs(on, handlers, settings, attempt=attempt, times=times):
        after = look(paths)
        yield run, changes(before, after)
        before = after


def differences(done: Sequence[RunReport]) -> tuple[str, ...]:
    """How the runs after the first were unlike it: whoever uses the key well leaves none but in words."""
    lines = []
    for number, run in enumerate(done[1:], 2):
        unlike = [what for what in ("verdict", "output", "actions") if getattr(run, what) != getattr(done[0], what)]
        lines += [f"run {number}: another {what}" for what in unlike]
        lines += [f"run {number}: {change}" for change in run.changes]
    return tuple(lines)
