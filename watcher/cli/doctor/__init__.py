"""`imap-watcher doctor`: what is wrong between us and a mailbox, and what to do about it."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.cli.completion import account_names
from watcher.cli.doctor.examination import Trials, examine
from watcher.cli.doctor.findings import Diagnosis, Finding, verdict
from watcher.cli.doctor.page import Page
from watcher.cli.settings import load_settings
from watcher.config.accounts import Account
from watcher.config.settings import Config
from watcher.errors import WatcherError

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
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for each step.", metavar="SECONDS")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each account.")] = False,
) -> None:
    """Look at each account step by step, from DNS to the push of a new mail; each failure with cause and cure."""
    config = load_settings(context)
    trials = Trials(folder if write else "", timeout)
    page = None if as_json else Page()
    diagnoses = [diagnose(account, config, trials, page) for account in chosen(config, accounts or [])]
    if as_json:
        print(json.dumps([{**asdict(one), "well": one.well} for one in diagnoses], ensure_ascii=False, indent=2))
    if not all(diagnosis.well for diagnosis in diagnoses):
        raise typer.Exit(exits.FAILED)


def chosen(config: Config, names: list[str]) -> list[Account]:
    known = {account.name: account for account in config.accounts}
    for name in names:
        if name not in known:
            raise WatcherError(f"there is no account {name} in {config.path}; known here: {', '.join(known)}")
    return [known[name] for name in names] or list(config.accounts)


def diagnose(account: Account, config: Config, trials: Trials, page: Page | None) -> Diagnosis:
    """Each finding is shown as soon as it is there."""
    findings: list[Finding] = []
    if page:
        page.heading(account.name, account.address)
    for finding in examine(account, config.watcher.state, trials):
        findings.append(finding)
        if page:
            page.finding(finding)
    diagnosis = Diagnosis(account.name, tuple(findings), verdict(findings))
    if page:
        page.verdict(diagnosis)
    return diagnosis
