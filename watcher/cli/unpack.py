"""`imap-watcher unpack`: take saved mails apart, as the daemon does."""

import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from watcher.cli import exits
from watcher.cli.terminal import complain, progress
from watcher.errors import Unreadable
from watcher.mail.pool import UnpackPool
from watcher.model import Envelope, MailFolder
from watcher.printing import printable
from watcher.store.removal import discard

__all__ = ["unpack"]

#: From so many mails on a terminal shows how far it is.
MANY = 10


def unpack(
    mails: Annotated[list[Path], typer.Argument(help="Files with one raw mail each.", metavar="MAIL...")],
    to: Annotated[Path, typer.Option(help="Directory for the mail folders, each named as its mail.", metavar="DIR")],
) -> None:
    """
    Take saved mails apart into folders.

    Each has message.json, body.txt, body.html, attachments/, and the mail itself. Exit status: 0 when all came apart, 1
    with a line for each mail that did not.
    """
    twice = [stem for stem, times in Counter(mail.stem for mail in mails).items() if times > 1]
    if twice:
        raise typer.BadParameter(f"several mails are called {printable(twice[0])}: their folder would be the same")
    failed = False
    with progress(problems(mails, to), len(mails), worth=MANY) as results:
        for problem in results:
            if problem:
                failed = True
                complain(problem)
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
        if not stat.S_ISREG(mail.stat().st_mode):
            return f"{mail}: is not a regular file"
        with mail.open("rb") as source:
            if not folder.path.exists():
                with undone(folder.path):
                    fill(pool, folder, source)
            elif folder.facts.exists():
                fill(pool, folder, source)
            else:
                return f"{folder.path}: holds no message.json, so it may be anything, and is left as it is"
    except OSError as error:
        return f"{error.filename or folder.path}: {error.strerror or error}"
    except Unreadable as error:
        return f"{mail}: {error}"
    return None


def fill(pool: UnpackPool, folder: MailFolder, mail: BinaryIO) -> None:
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.raw.unlink(missing_ok=True)
    with folder.raw.open("xb") as copy:
        shutil.copyfileobj(mail, copy)
    pool.unpack(folder, Envelope())


@contextmanager
def undone(path: Path) -> Iterator[None]:
    """A failure leaves nothing behind at `path`."""
    try:
        yield
    except BaseException:
        discard(path)
        raise
