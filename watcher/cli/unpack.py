"""`imap-watcher unpack`: take saved mails apart, as the daemon does."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.errors import Unreadable
from watcher.mail.pool import UnpackPool
from watcher.model import Envelope, MailFolder

__all__ = ["unpack"]

#: From so many mails on a terminal shows how far it is.
MANY = 10


def unpack(
    mails: Annotated[list[Path], typer.Argument(help="Files with one raw mail each.", metavar="MAIL...")],
    to: Annotated[Path, typer.Option(help="Directory for the mail folders, each named as its mail.", metavar="DIR")],
) -> None:
    """
    Take mails apart into folders: message.json, body.txt, body.html, attachments/, and the mail itself.

    Exit status: 0 when all came apart, 1 with a line for each mail that did not.
    """
    twice = [stem for stem, times in Counter(mail.stem for mail in mails).items() if times > 1]
    if twice:
        raise typer.BadParameter(f"several mails are called {shown(twice[0])}: their folder would be the same")
    results = problems(mails, to)
    watched = len(mails) >= MANY and sys.stderr.isatty()
    failed = False
    with (
        typer.progressbar(results, length=len(mails), file=sys.stderr) if watched else nullcontext(results) as progress
    ):
        for problem in progress:
            if problem:
                failed = True
                print(f"imap-watcher: {shown(problem)}", file=sys.stderr)
    raise typer.Exit(exits.FAILED if failed else exits.OK)


def problems(mails: list[Path], to: Path) -> Iterator[str | None]:
    """Take all mails apart, several at a time; for each what went wrong, or None."""
    workers = min(len(mails), len(os.sched_getaffinity(0)))
    pool = UnpackPool(workers)
    try:
        with ThreadPoolExecutor(workers) as threads:
            yield from threads.map(partial(attempt, pool, to), mails)
    finally:
        pool.close()


def attempt(pool: UnpackPool, to: Path, mail: Path) -> str | None:
    """Put a copy of `mail` into its folder and take it apart there. Returns what went wrong, or None."""
    if not mail.stem.strip("."):
        return f"{mail}: no folder can be named after it"
    folder = MailFolder(to / mail.stem)
    try:
        with mail.open("rb") as source:
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.raw.unlink(missing_ok=True)
            with folder.raw.open("xb") as copy:
                shutil.copyfileobj(source, copy)
        pool.unpack(folder, Envelope())
    except OSError as error:
        return f"{mail}: {error.strerror or error}"
    except Unreadable as error:
        return f"{mail}: {error}"
    return None


def shown(text: str) -> str:
    """Text that may hold anything, safe for a terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
