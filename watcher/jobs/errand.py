"""A short child of our own, under the limits of a handler: it reads what may be broken, so that we don't have to."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from watcher.config.handlers import HandlerSettings
from watcher.jobs.process import Child, Command, End, follow, output_pipe

__all__ = ["Errand", "run_errand"]

PATIENCE = HandlerSettings(timeout=10.0)


@dataclass(frozen=True, slots=True)
class Errand:
    """What came of it."""

    in_time: bool
    code: int  #: exit status; negative: the signal that killed it
    output: str  #: first and last part of what it printed, printable

    @property
    def good(self) -> bool:
        """It ended by itself, and well."""
        return self.in_time and self.code == 0


def run_errand(argv: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Errand:
    """Run a command that takes a moment, ten seconds at most. Raises CannotStart."""
    never = os.eventfd(0, os.EFD_CLOEXEC)
    try:
        with output_pipe() as pipe:
            with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - its number is wanted, not what is in it
                child = Child(Command(argv, directory, environment), nothing.fileno(), pipe.writer, PATIENCE)
            pipe.handed_over()
            try:
                end = follow(child, pipe, child.pidfd, PATIENCE, never)
            finally:
                code = child.reap()
            return Errand(end is End.OVER, code, pipe.capture.text())
    finally:
        os.close(never)
