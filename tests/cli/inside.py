"""The command in this very process: where a terminal, signals and the start of a process don't matter."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from watcher.cli.main import main

__all__ = ["Done", "run_inside"]


@dataclass(frozen=True)
class Done:
    """What came of it."""

    returncode: int
    stdout: str
    stderr: str


def run_inside(*arguments: str, stdin: bytes = b"") -> Done:
    """`imap-watcher` with these arguments; nobody can be asked."""
    out, error = io.StringIO(), io.StringIO()
    code = 0
    given = io.TextIOWrapper(io.BytesIO(stdin))
    with patch.object(sys, "argv", ["imap-watcher", *arguments]), patch.object(sys, "stdin", given):
        try:
            with redirect_stdout(out), redirect_stderr(error):
                main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return Done(code, out.getvalue(), error.getvalue())
