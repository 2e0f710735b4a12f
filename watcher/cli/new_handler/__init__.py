"""`imap-watcher new-handler`: a small handler that works, to go on from."""

import shlex
import shutil
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.files import Placement
from watcher.cli.terminal import AsJson, complain, say, show_json
from watcher.cli.workshop import Workshop, check_name, mode_of, open_workshop, rule_for, taken_by
from watcher.config.programs import PATH
from watcher.errors import WatcherError

__all__ = ["Language", "Made", "new_handler"]


class Language(StrEnum):
    """What a handler is written in."""

    SH = "sh"
    PYTHON = "python"
    NODE = "node"
    PERL = "perl"
    ENTRY_POINT = "entry-point"  #: a Python package of its own


#: Ends of the file names. Where none is needed, a handler is called like a command.
_SUFFIX = {Language.SH: "", Language.PYTHON: ".py", Language.NODE: ".js", Language.PERL: ".pl"}


@dataclass(frozen=True, slots=True)
class Made:
    """What `new-handler --json` tells."""

    name: str
    files: tuple[str, ...]
    rule: str  #: to be added to the configuration
    config: str  #: file of the configuration
    next: tuple[str, ...]  #: commands, ready for a shell


def new_handler(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Of the handler.", metavar="NAME")],
    lang: Annotated[Language, typer.Option(help="To write it in; entry-point: a Python package.")] = Language.SH,
    to: Annotated[
        Path | None, typer.Option(help="Directory to write it to; else the handlers folder.", metavar="DIR")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Write a small handler that works, to go on from.

    It has comments; nothing is overwritten. A package (entry-point) is written to the directory NAME below the current
    one.

    Examples: imap-watcher new-handler book --lang python; imap-watcher new-handler book --lang node --to /srv/handlers
    """
    workshop = open_workshop(context)
    check_name(name)
    package = lang is Language.ENTRY_POINT
    made = _write_package(name, to or Path()) if package else _write(name, lang, to or workshop.handlers)
    told = Made(name, tuple(map(str, made)), rule_for(name), str(workshop.path), _next(workshop, name, made, package))
    if as_json:
        show_json(told)
    else:
        _tell(told)
    if lang is not Language.ENTRY_POINT:
        _warn_of_interpreter(made[0])


def _write(name: str, lang: Language, folder: Path) -> list[Path]:
    """The handler as one file. Raises WatcherError if a handler of that name is there."""
    path = folder.absolute() / f"{name}{_SUFFIX[lang]}"
    for there in taken_by(folder, name):
        raise WatcherError(f"{there} is there already, and stays as it is; take another name")
    text = _filled(_templates() / f"{lang}.template", name)
    with Placement() as placement:
        placement.create(path, text, mode_of(text))
        placement.keep()
    return [path]


def _write_package(name: str, folder: Path) -> list[Path]:
    """The handler as a package in a directory of its own. Raises WatcherError if that is there."""
    root = folder.absolute() / name
    if root.exists():
        raise WatcherError(f"{root} is there already, and stays as it is; take another name")
    names = {"pyproject.toml": "pyproject.toml", "module.py": f"{_module(name)}.py"}
    with Placement() as placement:
        for template, file in names.items():
            placement.create(root / file, _filled(_templates() / "entry-point" / f"{template}.template", name), 0o644)
        placement.keep()
    return [root / file for file in names.values()]


def _templates() -> Traversable:
    return files(__package__) / "templates"


def _filled(template: Traversable, name: str) -> str:
    return template.read_text("utf-8").replace("{{name}}", name).replace("{{module}}", _module(name))


def _module(name: str) -> str:
    return f"handler_{name.replace('-', '_')}"


def _next(workshop: Workshop, name: str, made: list[Path], package: bool) -> tuple[str, ...]:
    if package:
        return (f"python3 -m pip install --editable {shlex.quote(str(made[0].parent))}", f"{workshop.program} run")
    what = name if made[0].parent == workshop.handlers.absolute() else shlex.quote(str(made[0]))
    return (f"{workshop.program} try {what}", f"{workshop.program} run")


def _tell(made: Made) -> None:
    for file in made.files:
        say(f"Written: {file}")
    print(f"\nA rule for it, to be added to {made.config}:\n")
    print("\n".join(f"    {line}" for line in made.rule.splitlines()))
    print("\nThen:")
    print("\n".join(f"    {command}" for command in made.next))


def _warn_of_interpreter(path: Path) -> None:
    """What the daemon will not find is told now: a version manager's own directory is not where it looks."""
    first = path.read_text("utf-8").split("\n", 1)[0].removeprefix("#!/usr/bin/env ")
    if not first.startswith("#!") and first.isalnum() and shutil.which(first, path=PATH) is None:
        complain(f"warning: {first} is not in {PATH}, where handlers look for commands; name its whole path after #!")
