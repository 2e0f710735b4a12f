"""
What runs for a handler, and of which kind is it? Told in words that cure where it can't be started, before anything
runs.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from watcher.config.entries import EntryPoint
from watcher.config.handlers import HandlerSettings
from watcher.config.programs import find_program
from watcher.errors import WatcherError

__all__ = ["ELF", "CannotStart", "HandlerKind", "Program", "kind_of", "program"]

#: Linux reads no more of a `#!` line than this (BINPRM_BUF_SIZE).
HEAD = 256
ELF = b"\x7fELF"


class CannotStart(WatcherError):
    """The handler can't be run as it stands: hold its mail until the author has mended it."""


class HandlerKind(StrEnum):
    """How a handler is run."""

    PROGRAM = "program"  #: executed: a script with a `#!` line, a binary, a command of the machine
    PYTHON = "python"  #: a function is called in a warm process: `handle` of a file, or an entry point
    WEBHOOK = "webhook"  #: the mail is posted to a URL


@dataclass(frozen=True, slots=True)
class Program:
    """What runs for a handler."""

    kind: HandlerKind
    argv: tuple[str, ...] = ()  #: the program and its arguments; of Python the file, or "package.module:function"
    file: Path | None = None  #: what must not be another's to change; none for what a package installed, or a webhook
    version: object = None  #: of an entry point: changes when another one is installed
    origin: Path | None = None  #: where its author keeps it; it is a copy, and links to what lies there are beside it


def program(find_file: Callable[[str], Path], name: str, settings: HandlerSettings) -> Program:
    """
    What runs for the handler `name`; `find_file` tells the file of one that is in the handlers folder.

    Raises HandlerMissing, CannotStart.
    """
    match find_program(find_file, name, settings):
        case None:
            return Program(HandlerKind.WEBHOOK)
        case EntryPoint() as entry:
            return Program(HandlerKind.PYTHON, (entry.target,), version=entry)
        case path:
            kind = HandlerKind.PROGRAM if settings.command else kind_of(path)
            return Program(kind, (str(path), *settings.command[1:]), path)


def kind_of(path: Path) -> HandlerKind:
    """How to run the file `path`. Raises CannotStart with what is wrong with it and what to do."""
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(HEAD)
    except OSError as error:
        raise CannotStart(f"{path} can't be read: {error.strerror}") from error
    marked = head.startswith((b"#!", ELF))
    executable = os.access(path, os.X_OK)
    if path.suffix == ".py" and not (marked and executable):
        return HandlerKind.PYTHON
    if not executable:
        raise CannotStart(f"{path} is not executable: chmod +x {path}")
    if not marked:
        raise CannotStart(f"{path} is no program: a script begins with a line like #!/bin/sh")
    if head.startswith(b"#!"):
        _check_interpreter(path, head[2:].split(b"\n")[0])
    return HandlerKind.PROGRAM


def _check_interpreter(path: Path, line: bytes) -> None:
    """The kernel says "no such file" of the handler when it means the interpreter; this says which."""
    if line.endswith(b"\r"):
        raise CannotStart(f"{path} has Windows line ends: its lines must end with LF alone")
    words = line.split()
    interpreter = os.fsdecode(words[0]) if words else ""
    if not os.access(interpreter, os.X_OK):
        raise CannotStart(f"{path} names the interpreter {interpreter!r}, which is not there or not executable")
