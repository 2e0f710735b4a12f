"""From the file to a configuration, or to all that is wrong with it."""

import os
import re
import shlex
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from watcher.config.doubts import doubts_of, missing_handlers, repeated_names
from watcher.config.files import read_regular
from watcher.config.handlers import HandlerSettings
from watcher.config.problems import Problem, Source, problems_of
from watcher.config.proofs import clients_of, plain_secrets, proofs_of, with_consent, with_token
from watcher.config.settings import Config, Document, WatcherSettings, default_file
from watcher.config.shape import NAME_KEY
from watcher.config.smtp import relay_problems, relays_of
from watcher.errors import ConfigError

__all__ = ["exposures", "find", "load", "load_place"]

_DOCUMENT = TypeAdapter(Document)
_PLACE = TypeAdapter(WatcherSettings)


def find(given: Path | None) -> Path:
    """The file to read: the given one, else the usual one of this user. It need not be there."""
    return given or default_file()


def load(path: Path, *, strict: bool = False) -> Config:
    """
    The configuration in the file at `path`.

    A handler that isn't in its folder is a problem if `strict`, else a warning: the daemon holds its mail until it is
    there. Raises ConfigError with one line for each problem, all at once.
    """
    text, found = _read(path)
    source = Source(path, text)
    data = _parse(source)
    problems = [*exposures(path, found, data), *proofs_of(data)]
    clients = clients_of(data)
    warnings: list[Problem] = []
    try:
        document = _DOCUMENT.validate_python(
            _completed(data), context=path.absolute().parent, by_alias=True, by_name=False
        )
    except ValidationError as error:
        problems += problems_of(error)
    else:
        problems += repeated_names(document.rule)
        problems += (
            Problem(key, text) for key, text in relay_problems(document.smtp, document.account, document.alerts)
        )
        (problems if strict else warnings).extend(missing_handlers(document))
        warnings += doubts_of(document)
    if problems:
        raise ConfigError(source.lines(problems))
    apart = document.watcher.isolation
    accounts = tuple(with_token(account, document, clients) for account in document.account.values())
    relays = relays_of(document.smtp, {account.name: account for account in accounts})
    return Config(
        accounts=accounts,
        alerts=document.alerts,
        relays={name: with_consent(relay, document, clients) for name, relay in relays.items()},
        rules=document.rule,
        handlers={name: settings.under(apart) for name, settings in document.handler.items()},
        unnamed=HandlerSettings().under(apart),
        watcher=document.watcher,
        limits=document.limits,
        path=path,
        warnings=tuple(source.lines(warnings)),
    )


def load_place(path: Path) -> Config:
    """
    Only the section `[watcher]`, whatever is wrong with the others: a daemon that runs with what stood there before can
    be asked how it is. Raises ConfigError.
    """
    text, _ = _read(path)
    table = _parse(Source(path, text)).get("watcher", {})
    try:
        settings = _PLACE.validate_python(table, context=path.absolute().parent, by_alias=True, by_name=False)
    except ValidationError:
        return load(path)  # which tells all that is wrong
    return Config(accounts=(), rules=(), handlers={}, watcher=settings, path=path)


def _read(path: Path) -> tuple[str, os.stat_result]:
    """The text of the file, and whose it is. Raises ConfigError."""
    try:
        content, found = read_regular(path)
    except FileNotFoundError as error:
        raise ConfigError(
            [f"{path}: is not there; `imap-watcher init ADDRESS` makes one, --config FILE names another"]
        ) from error
    except OSError as error:
        raise ConfigError([f"{path}: can't be read: {error.strerror}"]) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8; save the file in that encoding"]) from error
    return text, found


def _parse(source: Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except RecursionError as error:
        raise ConfigError([f"{source.path}: is nested too deeply"]) from error
    except ValueError as error:  # TOMLDecodeError, and an integer of thousands of digits
        told = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        reason = ascii(told[1] if told else str(error))[1:-1]
        line = int(told[2]) if told and told[2] else source.text.rstrip("\n").count("\n") + 1
        column = f" at column {told[3]}" if told and told[3] else ""
        raise ConfigError([f"{source.path}:{line}: is not valid TOML{column}: {reason}"]) from error


def exposures(path: Path, found: os.stat_result, data: dict[str, Any]) -> Iterator[Problem]:
    """What owner and mode of the file let others do that they must not: commands stand in it, and maybe passwords."""
    mode, mend = f"mode {stat.S_IMODE(found.st_mode):04o}", f"chmod 600 {shlex.quote(str(path))}"
    if found.st_uid not in (0, os.geteuid()):
        yield Problem((), f"belongs to another user (uid {found.st_uid}); allowed are root and the user that runs this")
    if found.st_mode & 0o022:
        yield Problem((), f"others may write this file ({mode}): {mend}")
    for key in plain_secrets(data) if found.st_mode & 0o044 else ():
        yield Problem(key, f"others may read it here ({mode}): {mend}")
        return


def _completed(data: dict[str, Any]) -> dict[str, Any]:
    """Tells accounts and relays their names, and rules their numbers; a section left out is an empty one."""
    rules = data.get("rule")
    for section in (data.get("account"), data.get("smtp")):
        for name, table in section.items() if isinstance(section, dict) else ():
            if isinstance(table, dict):
                table[NAME_KEY] = name
    for number, table in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(table, dict):
            table.setdefault("name", f"rule {number + 1}")
    return {"watcher": {}, **data}
