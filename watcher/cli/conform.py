"""`imap-watcher conform`: is a handler fit for any mail that may come?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.cli.terminal import AsJson, say, show_json
from watcher.cli.trial import Handler, located
from watcher.cli.trial.bench import bench, unsent
from watcher.cli.workshop import open_workshop
from watcher.config import HandlerSettings, find_handler
from watcher.jobs.conformance import CASES, Case
from watcher.jobs.conformance import conform as hold_against
from watcher.jobs.dispatch import Dispatcher
from watcher.jobs.program import program

__all__ = ["conform"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. What `conform --json` tells, a list of."""

    case: str
    about: str
    fault: str  #: "" if all is well
    seconds: float


def conform(
    context: typer.Context,
    handler: Handler,
    env: Annotated[
        list[str] | None,
        typer.Option(help="A variable for this only; may be given several times.", metavar="NAME=VALUE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Run a handler on odd, hostile and broken mails.

    Tells what is against the contract: that it fails on them as if that might pass, changes the mail folder, lets a
    shell read the mail, takes too long, or does not bear a repeat. It really runs, some thirty times: set it to files
    and services that are made for this, by --env. Ends with 1 if there is a fault.

    Examples: imap-watcher conform book --env BOOKS=/tmp/books; imap-watcher conform ./book.py
    """
    workshop = open_workshop(context)
    handlers, name = located(workshop, handler)
    settings = with_variables(workshop.settings(name), env or [])
    program(partial(find_handler, handlers), name, settings)  # tells at once of what can't be run at all
    done = []
    with bench(None) as root:
        for check in checks(root, handlers, name, settings):
            done.append(check)
            if not as_json:
                say(f"{'FAULT' if check.fault else 'ok':<6} {check.case:<15} {check.about}")
                if check.fault:
                    say(f"       {check.fault}")
    faults = sum(bool(check.fault) for check in done)
    if as_json:
        show_json(done)
    else:
        say(f"{len(done)} mails, {faults or 'no'} fault{'' if faults == 1 else 's'}")
    if faults:
        raise typer.Exit(exits.FAILED)


def with_variables(settings: HandlerSettings, given: list[str]) -> HandlerSettings:
    """The settings with further variables. Raises BadParameter."""
    pairs = [pair.partition("=") for pair in given]
    for name, sign, _ in pairs:
        if not sign:
            raise typer.BadParameter(f"--env {name}: is written NAME=VALUE")
    try:
        return replace(settings, env={**settings.env, **{name: value for name, _, value in pairs}})
    except ValueError as error:
        names = ", ".join(name for name, _, _ in pairs)
        raise typer.BadParameter(
            f"--env {names}: a name has letters, digits and '_', and does not begin with WATCHER_"
        ) from error


def checks(root: Path, handlers: Path, name: str, settings: HandlerSettings) -> Iterator[Check]:
    """Each case in turn, on a dispatcher of its own state."""
    spool = root / "spool"
    spool.mkdir(mode=0o700)
    dispatcher = Dispatcher(lambda _: settings, handlers, spool, write=partial(unsent, []))
    try:
        for case in CASES:
            yield check(dispatcher, spool, name, case)
    finally:
        dispatcher.close()


def check(dispatcher: Dispatcher, spool: Path, name: str, case: Case) -> Check:
    began = time.monotonic()
    [finding] = hold_against(dispatcher, spool, name, [case])
    return Check(case.name, case.about, finding.fault, round(time.monotonic() - began, 3))
