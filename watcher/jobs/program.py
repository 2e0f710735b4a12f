"""What kind of handler is a file, and can it be started at all? Told in words that cure, before anything runs."""

import os
from enum import StrEnum
from pathlib import Path

from watcher.errors import WatcherError

__all__ = ["CannotStart", "Language", "language"]

#: Linux reads no more of a `#!` line than this (BINPRM_BUF_SIZE).
HEAD = 256
ELF = b"\x7fELF"


class CannotStart(WatcherError):
    """The handler can't be run as it stands: hold its mail until the author has mended it."""


class Language(StrEnum):
    """How a handler's file is run."""

    PROGRAM = "program"  #: executed: a script with a `#!` line, or a binary
    PYTHON = "python"  #: its function `handle(message)` is called in a warm process


def language(path: Path) -> Language:
    """How to run `path`. Raises CannotStart with what is wrong with it and what to do."""
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(HEAD)
    except OSError as error:
        raise CannotStart(f"{path} can't be read: {error.strerror}") from error
    marked = head.startswith((b"#!", ELF))
    executable = os.access(path, os.X_OK)
    if path.suffix == ".py" and not (marked and executable):
        return Language.PYTHON
    if not executable:
        raise CannotStart(f"{path} is not executable: chmod +x {path}")
    if not marked:
        raise CannotStart(f"{path} is no program: a script begins with a line like #!/bin/sh")
    if head.startswith(b"#!"):
        _check_interpreter(path, head[2:].split(b"\n")[0])
    return Language.PROGRAM


def _check_interpreter(path: Path, line: bytes) -> None:
    """The kernel says "no such file" of the handler when it means the interpreter; this says which."""
    if line.endswith(b"\r"):
        raise CannotStart(f"{path} has Windows line ends: its lines must end with LF alone")
    words = line.split()
    interpreter = os.fsdecode(words[0]) if words else ""
    if not os.access(interpreter, os.X_OK):
        raise CannotStart(f"{path} names the interpreter {interpreter!r}, which is not there or not executable")
