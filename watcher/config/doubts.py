"""What is allowed in a configuration and yet hardly meant."""

import re
from collections.abc import Iterator
from functools import partial

from watcher.config.accounts import Account
from watcher.config.handlers import HandlerSettings, find_handler
from watcher.config.patterns import Pattern
from watcher.config.problems import Problem
from watcher.config.programs import find_program
from watcher.config.rules import Condition, Rule
from watcher.config.settings import Document
from watcher.errors import HandlerMissing

__all__ = ["doubts_of", "missing_handlers", "repeated_names"]

SHORT_REACH = 8 * 1024  #: bytes of a text; most bodies are shorter


def repeated_names(rules: tuple[Rule, ...]) -> Iterator[Problem]:
    """Rules that bear the name of an earlier one: the ledger tells their jobs apart by it."""
    seen = set()
    for number, rule in enumerate(rules):
        if rule.name in seen:
            yield Problem(("rule", number, "name"), f"{rule.name!r} is the name of an earlier rule; choose another")
        seen.add(rule.name)


def missing_handlers(document: Document) -> Iterator[Problem]:
    """Handlers that a rule names and that are neither in the handlers folder nor elsewhere, each once."""
    asked = set()
    for number, rule in enumerate(document.rule):
        for place, name in enumerate(rule.run):
            if name not in asked:
                asked.add(name)
                try:
                    settings = document.handler.get(name) or HandlerSettings()
                    find_program(partial(find_handler, document.watcher.handlers), name, settings)
                except HandlerMissing as error:
                    yield Problem(("rule", number, "run", place), str(error))


def doubts_of(document: Document) -> Iterator[Problem]:
    """Rules that can never run or do nothing, handlers that no rule names, patterns that mean something else."""
    accounts = tuple(document.account.values())
    yield from _watched_twice(accounts)
    closed = ""
    for number, rule in enumerate(document.rule):
        key = ("rule", number)
        if closed:
            yield Problem(key, f"never runs: {closed!r} above it fits every mail and stops")
        elif rule.stop and rule.when is None:
            closed = rule.name
        if not (rule.run or rule.then or rule.stop):
            yield Problem(key, "does nothing; it has neither `run` nor `then` nor `stop`")
        if rule.on_dead and not rule.run:
            yield Problem((*key, "on_dead"), "never happens, as the rule runs no handler")
        if rule.when is not None:
            yield from _never(rule.when, accounts, (*key, "when"))
            yield from _misread(rule.when, (*key, "when"))
    if not document.rule:
        yield Problem(("rule",), "is missing: mails are stored and nothing else is done with them")
    named = {name for rule in document.rule for name in rule.run}
    for name in document.handler:
        if name not in named:
            yield Problem(("handler", name), "is named by no rule")


def _watched_twice(accounts: tuple[Account, ...]) -> Iterator[Problem]:
    """Folders under two names: each mail there would be handled once for each."""
    first: dict[tuple[str, str, str], str] = {}
    for account in accounts:
        for folder in account.folders:
            other = first.setdefault((account.host.lower(), account.user, folder), account.name)
            if other != account.name:
                yield Problem(("account", account.name), f"watches the same {folder} as account {other}: handled twice")


def _never(when: Condition, accounts: tuple[Account, ...], key: tuple[str | int, ...]) -> Iterator[Problem]:
    """What no mail of these accounts can have."""
    fitting = [account for account in accounts if not when.account or _fits(when.account, account.name)]
    if not fitting:
        yield Problem((*key, "account"), "never fits: no account has such a name")
    elif when.folder and not any(_fits(when.folder, folder) for account in fitting for folder in account.folders):
        yield Problem((*key, "folder"), "never fits: no such folder is watched")


def _fits(patterns: tuple[Pattern, ...], value: str) -> bool:
    return any(pattern.fits(value) for pattern in patterns)


def _misread(when: Condition, key: tuple[str | int, ...]) -> Iterator[Problem]:
    """Globs that fit something else than one might think, and patterns that see less."""
    for pattern in when.body:
        if pattern.reach < SHORT_REACH:
            text = f"{pattern.text!r} sees only the first {pattern.reach} bytes of a body, as it repeats so much"
            yield Problem((*key, "body"), text)
        if not pattern.regex and not re.search(r"[*?\[]", pattern.text):
            yield Problem((*key, "body"), f"{pattern.text!r} fits only a whole body of that text; meant is '*…*'?")
    for pattern in when.subject:
        if not pattern.regex and (tag := re.search(r"\[[^]!-][^]-]+\]", pattern.text)):
            text = f"{tag[0]} in a glob is one character of a set; the tag itself is written [[]{tag[0][1:]}"
            yield Problem((*key, "subject"), text)
