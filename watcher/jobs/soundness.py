"""Could this handler run at all? Asked of its own interpreter, in a child, before a new version is let at any mail."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from watcher.config.handlers import HandlerSettings
from watcher.config.programs import PATH
from watcher.jobs.errand import run_errand
from watcher.jobs.program import CannotStart, HandlerKind, kind_of
from watcher.printing import one_line

__all__ = ["check"]

#: The file is compiled and not run; what it says of a fault is the interpreter's own text.
COMPILE = "import sys; compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec', dont_inherit=True)"
#: As a warm process does it, so that a library that is missing is found too.
LOAD = "import sys; from pathlib import Path; from watcher.jobs.child import load; load(Path(sys.argv[1]))"

_SHELL = ("-n",)
#: What makes an interpreter read a script without running it, by its name without a version.
#: Perl is left out: its -c runs what stands in BEGIN.
CHECKS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"), _SHELL),
    **dict.fromkeys(("node", "nodejs"), ("--check",)),
    "ruby": ("-c",),
    "php": ("-l",),
    "python": ("-B", "-c", COMPILE),
}


def check(name: str, program: Path, settings: HandlerSettings) -> None:
    """Raises CannotStart with the reason if `program` is broken."""
    apart = settings.isolation not in {None, "none"}  # then its code runs in its cell only
    argv = _command(program, COMPILE if apart else LOAD)
    if argv is None:
        return
    environment = {"PATH": PATH, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", **settings.env}
    errand = run_errand(argv, program.parent, {**environment, "WATCHER_HANDLER": name})
    if not errand.good:
        how = f"its check ended with {errand.code}" if errand.in_time else "its check took too long"
        raise CannotStart(f"{program.name} is broken: {_fault(errand.output.strip()) or how}")


def _command(program: Path, python: str) -> Sequence[str] | None:
    if kind_of(program) is HandlerKind.PYTHON:
        return [sys.executable, "-B", "-P", "-c", python, str(program)]
    with program.open("rb") as file:
        first = os.fsdecode(file.readline(256))
    if not first.startswith("#!"):
        return None
    words = [word for word in first[2:].split() if word != "-S"]  # as in `#!/usr/bin/env -S node --flag`
    if words and Path(words[0]).name == "env":
        del words[0]
    if not words:
        return None
    arguments = CHECKS.get(Path(words[0]).name.rstrip("0123456789."))  # python3.12 is a python
    return None if arguments is None else [words[0], *arguments, str(program)]


def _fault(output: str) -> str:
    """The telling line: the last one of a Python trace, the first one of what others print."""
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines:
        return ""
    place = next((line for line in reversed(lines) if line.lstrip().startswith("File ")), "")
    return one_line(f"{lines[-1]} ({place.strip()})" if place else lines[0])
