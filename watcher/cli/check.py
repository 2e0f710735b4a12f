"""`imap-watcher check`: is the configuration all right?"""

from dataclasses import dataclass

import typer

from watcher.cli import exits
from watcher.cli.terminal import AsJson, show_json
from watcher.config import find, load
from watcher.errors import ConfigError

__all__ = ["Finding", "check"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check --json` tells."""

    file: str
    right: bool  #: the daemon would start with it, and every handler is there
    accounts: int = 0
    rules: int = 0
    handlers: int = 0  #: different ones named by rules
    problems: tuple[str, ...] = ()  #: one line each
    warnings: tuple[str, ...] = ()  #: one line each


def check(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """
    Check the configuration, without starting anything.

    Tells all problems at once, each with file and line. Ends with 78 if it can't be used.
    """
    path = find(context.obj)
    try:
        config = load(path, strict=True)
    except ConfigError as error:
        finding = Finding(str(path), right=False, problems=tuple(error.problems))
    else:
        handlers = {name for rule in config.rules for name in rule.run}
        finding = Finding(
            str(path), True, len(config.accounts), len(config.rules), len(handlers), warnings=config.warnings
        )
    if as_json:
        show_json(finding)
    else:
        _tell(finding)
    if not finding.right:
        raise typer.Exit(exits.CONFIG)


def _tell(finding: Finding) -> None:
    for problem in finding.problems:
        typer.echo(problem, err=True)
    for warning in finding.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if finding.right:
        counts = (
            _counted(finding.accounts, "account"),
            _counted(finding.rules, "rule"),
            _counted(finding.handlers, "handler"),
        )
        print(f"{finding.file}: all right: {', '.join(counts)}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
