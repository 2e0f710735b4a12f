"""
The log that the recording handlers and the killer write: one line an event, in the order in which they happened.

A handler appends `HANDLER KEY ATTEMPT CASE start` when it begins and the same with `end` just before it succeeds.
After each kill of the daemon, once nothing of it lives, the killer appends one `killed` line for each job whose
success the ledger had on record, and one without a key.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Event", "Phase", "append", "python_handler", "read", "shell_handler"]


class Phase(StrEnum):
    """What an event tells."""

    START = "start"  #: a handler began
    END = "end"  #: a handler is through; what it returns is still to be recorded
    KILLED = "killed"  #: the daemon was killed; with a key: while this job's success stood in the ledger


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log."""

    phase: Phase
    handler: str = "-"
    key: str = "-"
    attempt: int = 0
    case: int = -1  #: value of the mail's X-Case header


def read(log: Path) -> list[Event]:
    """All events so far, oldest first."""
    if not log.exists():
        return []
    rows = (line.split() for line in log.read_text().splitlines())
    return [Event(Phase(phase), handler, key, int(attempt), int(case)) for handler, key, attempt, case, phase in rows]


def append(log: Path, events: Iterable[Event]) -> None:
    """Add events in one write."""
    lines = "".join(f"{e.handler} {e.key} {e.attempt} {e.case} {e.phase}\n" for e in events)
    with log.open("ab", buffering=0) as file:
        os.write(file.fileno(), lines.encode())


def shell_handler(name: str, log: Path, work: str = "") -> str:
    """A script that records itself around `work`. Only what the shell itself can do, so that 10,000 runs are quick."""
    return f"""#!/bin/sh
set -eu
while IFS= read -r line; do
    case $line in X-Case:*) number=${{line#X-Case: }}; break ;; esac
done < message.eml
number=${{number%?}}
note() {{ echo "{name} $WATCHER_KEY $WATCHER_ATTEMPT $number $1" >> {log}; }}
note start
{work}
note end
"""


def python_handler(name: str, log: Path, work: str = "") -> str:
    """A warm handler that records itself around `work`, a line of Python."""
    return f"""import os
import time

LOG = os.open({str(log)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def handle(message):
    number = next(value for name, value in message.headers if name == "X-Case").strip()
    line = f"{name} {{message.key}} {{message.attempt}} {{number}}"
    os.write(LOG, f"{{line}} start\\n".encode())
    {work or "pass"}
    os.write(LOG, f"{{line}} end\\n".encode())
"""
