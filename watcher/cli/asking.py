"""Asking the person at the terminal; where there is none, saying which option would have been the answer."""

import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from watcher.errors import WatcherError
from watcher.printing import printable

__all__ = ["Person", "chosen_folders"]

#: Folders that are listed; a person looks through no more.
SHOWN = 40


class Person:
    """Whoever answers. `agrees`: yes to everything that can be answered so (--yes)."""

    def __init__(self, *, agrees: bool) -> None:
        self._agrees = agrees
        self.present = sys.stdin.isatty() and sys.stdout.isatty()

    def confirm(self, question: str, option: str = "--yes") -> bool:
        """Whether the person says yes. Raises WatcherError if nobody can be asked."""
        if self._agrees:
            return True
        self._needed(option, question)
        with _interruptible():
            return typer.confirm(question, default=False)

    def password(self, what: str) -> str:
        """A password, never shown. Raises WatcherError if nobody can be asked."""
        self._needed("--password-command, --password-file or --password-env", f"the {what}")
        while not (given := getpass.getpass(f"{what[0].upper()}{what[1:]} (is not shown): ")):
            print("Nothing was typed; Ctrl-C ends this.")
        return given

    def answer(self, question: str) -> str:
        """What the person types, shown; never empty."""
        with _interruptible():
            return str(typer.prompt(question)).strip()

    def secret(self, question: str) -> str:
        """What the person types, never shown; "" if there is nothing to type."""
        return getpass.getpass(f"{question} (is not shown; just Enter if not): ").strip()

    def folders(self, there: Sequence[str]) -> list[str]:
        """Which of the folders to watch; INBOX if nobody can be asked."""
        if self._agrees or not self.present:
            return ["INBOX"]
        for number, name in enumerate(there[:SHOWN], 1):
            print(f"  {number:>3}  {printable(name)}")
        if len(there) > SHOWN:
            print(f"       and {len(there) - SHOWN} more; they can be given by name")
        while True:
            with _interruptible():
                answer = typer.prompt("Watch which folders? Numbers or names, with commas", default="INBOX")
            try:
                return chosen_folders(answer, there)
            except ValueError as error:
                print(error)

    def _needed(self, option: str, what: str) -> None:
        if not self.present:
            raise WatcherError(f"nobody can be asked ({what}), as this is not a terminal: give {option}")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C at a question ends the command as it does everywhere else."""
    try:
        yield
    except typer.Abort as error:
        raise KeyboardInterrupt from error


def chosen_folders(answer: str, there: Sequence[str]) -> list[str]:
    """The folders meant by numbers (from 1) and names. Raises ValueError, with a line to show."""
    chosen: dict[str, None] = {}
    for word in filter(None, map(str.strip, answer.split(","))):
        if word.isdecimal() and 1 <= int(word) <= len(there):
            chosen[there[int(word) - 1]] = None
        elif word in there or set(word) & set("*%"):
            chosen[word] = None
        elif word.upper() == "INBOX":
            chosen["INBOX"] = None
        else:
            raise ValueError(f"there is no folder {printable(word)}")
    if not chosen:
        raise ValueError("name at least one folder")
    return list(chosen)
