"""Handlers that are programs: a script in any language, or a binary. One process for each run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watcher.jobs.contract import Run, RunEnding, environment, exited
from watcher.jobs.isolation import cell_for_program
from watcher.jobs.process import Child, Command, End, cut_off, follow, output_pipe
from watcher.jobs.program import CannotStart

__all__ = ["run_script"]


def run_script(run: Run, stop: int) -> RunEnding:
    """Run the program once; it is interrupted when `stop` becomes readable. Raises CannotStart, OSError."""
    cell = cell_for_program(run)
    with output_pipe() as pipe, cell.visit(run) as inside:
        command = Command(run.program.argv, run.folder.path, environment(inside), cell.wrapper)
        cell.give(pipe.writer)
        with _opened(_stdin(run)) as stdin:
            child = Child(command, stdin, pipe.writer, run.settings)
        pipe.handed_over()
        try:
            end = follow(child, pipe, child.pidfd, run.settings, stop)
        finally:
            code = child.reap()
        output = pipe.capture.text()
    if end is not End.OVER:
        return cut_off(end, run.settings, output)
    if refusal := cell.refusal(code, output):
        raise CannotStart(refusal)
    return exited(cell.code(code), output)


def _stdin(run: Run) -> Path:
    match run.settings.stdin:
        case "mail":
            return run.folder.raw
        case "json":
            return run.folder.facts
    return Path(os.devnull)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The program reads the file itself: there is no pump that it could block by not reading."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
