"""What commands print: lines for people, JSON for scripts."""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer

from watcher.cli import exits
from watcher.errors import SpoolFull, WatcherError
from watcher.printing import printable

__all__ = ["AsJson", "complain", "hush", "progress", "say", "show_json", "writing"]

LONGEST = 2000  #: characters of one line

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

#: Why a write fails though nothing is wrong with us: full disk, quota, limit, no disk or terminal, nobody reads.
REFUSED = NO_ROOM | {errno.EFBIG, errno.EIO, errno.EPIPE}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

_T = TypeVar("_T")


def say(line: str) -> None:
    """Print one line. Words of a server or of a mail in it can't move the cursor, nor forge another line."""
    print(printable(line, LONGEST))


def complain(line: str) -> None:
    """The same on standard error, under our name. If that takes nothing, the exit code has to tell."""
    with suppress(OSError):
        print(f"imap-watcher: {printable(line, LONGEST)}", file=sys.stderr)


def show_json(value: object) -> None:
    """Print what JSON can hold, or dataclasses of that. In ASCII: what a mail says may steer a terminal here, too."""
    print(json.dumps(value, indent=2, default=asdict))


def progress(
    items: Iterable[_T], length: int, *, worth: int = 1, label: str = ""
) -> AbstractContextManager[Iterable[_T]]:
    """The same `items`, with a bar on a terminal if they are `worth` that many or more."""
    if length < worth or not sys.stderr.isatty():
        return nullcontext(items)
    return typer.progressbar(items, length=length, label=label, file=sys.stderr)


@contextmanager
def writing() -> Iterator[None]:
    """All that is printed within is out at the end. Raises WatcherError if it can't be, SpoolFull of a file."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        _to_nowhere(1)
        if error.errno == errno.EPIPE:  # whoever read it has seen enough
            sys.exit(exits.FAILED)
        where = error.filename or "what this command prints"
        kind = SpoolFull if error.filename and error.errno in NO_ROOM else WatcherError
        raise kind(f"{where} can't be written: {error.strerror}") from error


def hush() -> None:
    """Give up what standard error can't take any more, as when its terminal was closed."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _to_nowhere(2)


def _to_nowhere(stream: int) -> None:
    """Else the interpreter tries it again at its end, complains, and has an exit code of its own for that."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - its number is wanted
        os.dup2(nowhere.fileno(), stream)
