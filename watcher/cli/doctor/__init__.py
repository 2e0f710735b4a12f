"""`imap-watcher doctor`: what is wrong between us and a mailbox, and what to do about it."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.cli.completion import account_names
from watcher.cli.doctor.circle import Circle
from watcher.cli.doctor.examination import Trials, examine
from watcher.cli.doctor.findings import Diagnosis, Finding, Mark, verdict
from watcher.cli.doctor.page import Page
from watcher.cli.doctor.sending import examine_sending
from watcher.cli.send import instance
from watcher.cli.settings import account_named, call, load_settings
from watcher.cli.terminal import AsJson, show_json
from watcher.config.accounts import Account
from watcher.config.providers.resolver import DnsResolver
from watcher.config.settings import Config
from watcher.model import OPEN, Kind

__all__ = ["doctor"]

FOLDER = "imap-watcher-test"


def doctor(
    context: typer.Context,
    accounts: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAMEs of accounts; all if none is given.", metavar="ACCOUNT...", autocompletion=account_names
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write/--no-write", help="Put a mail into a test folder, to see the server tell of it.")
    ] = True,
    folder: Annotated[str, typer.Option(help="The test folder; made, and removed again.", metavar="NAME")] = FOLDER,
    sending: Annotated[
        bool, typer.Option("--sending", help="Look at how it sends, too: ports, login, what DNS says of the sender.")
    ] = False,
    circle: Annotated[
        bool, typer.Option("--circle", help="Send a mail to the account itself, and see it arrive and be handled.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for each step.", metavar="SECONDS")] = 20.0,
    as_json: AsJson = False,
) -> None:
    """
    Test each account step by step, from DNS to a pushed mail.

    Each failure is told with its cause and what to do about it. Ends with 1 if there is one.
    """
    config = load_settings(context)
    trials = Trials(folder if write else "", timeout, sending=sending, circle=circle)
    page = None if as_json else Page()
    diagnoses = [diagnose(account, config, trials, page) for account in chosen(config, accounts or [])]
    if as_json:
        show_json([{**asdict(one), "well": one.well} for one in diagnoses])
    if not all(diagnosis.well for diagnosis in diagnoses):
        raise typer.Exit(exits.FAILED)


def chosen(config: Config, names: list[str]) -> list[Account]:
    """The accounts that are meant, all if none is named. Raises WatcherError."""
    return [account_named(config, name) for name in names] or list(config.accounts)


def findings_of(account: Account, config: Config, trials: Trials) -> Iterator[Finding]:
    """How it receives, then how it sends, then both together; the last only if nothing failed before."""
    well = True
    for finding in examine(account, config.watcher.state, trials):
        well = well and finding.mark is not Mark.FAILED
        yield finding
    relay = config.relays[account.name]
    if trials.sending:
        yield from examine_sending(relay, DnsResolver(trials.timeout), trials.timeout)
    if trials.circle and well:
        handled = partial(handled_by, config, account)
        yield from Circle(account, relay, instance(config.watcher.state), handled, trials.timeout).legs()


def handled_by(config: Config, account: Account, message_id: str) -> str | None:
    """What the daemon has done with a mail: "" nothing yet, None if none runs."""
    try:
        entries = call(config, {"verb": "jobs", "account": account.name, "limit": 1000})
    except ConnectionError:
        return None
    works = [entry for entry in entries if entry["message_id"] == message_id]
    if not works or any(entry["status"] in OPEN for entry in works):
        return ""
    jobs = [f"{entry['name']}: {entry['status']}" for entry in works if entry["kind"] == Kind.JOB]
    return f"handled by {', '.join(sorted(jobs))}" if jobs else "the daemon has it; no rule is for such a mail"


def diagnose(account: Account, config: Config, trials: Trials, page: Page | None) -> Diagnosis:
    """Each finding is shown as soon as it is there."""
    findings: list[Finding] = []
    if page:
        page.heading(account.name, account.address)
    for finding in findings_of(account, config, trials):
        findings.append(finding)
        if page:
            page.finding(finding)
    diagnosis = Diagnosis(account.name, tuple(findings), verdict(findings))
    if page:
        page.verdict(diagnosis)
    return diagnosis
