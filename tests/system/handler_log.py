"""
The log that the recording handlers and the killer write: one line an event, in the order in which they happened.

A handler appends `HANDLER MAIL KEY ATTEMPT CASE start` when it begins and the same with `end` just before it succeeds.
After each kill of the daemon, once nothing of it lives, the killer appends one `killed` line for each job whose
success the ledger had on record, and one that names none.
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
    END = "end"  #: a handler is through; its success is still to be recorded
    KILLED = "killed"  #: the daemon was killed; with handler and mail: that job's success stood in the ledger


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log."""

    phase: Phase
    handler: str = "-"
    mail: str = "-"  #: name of its spool folder
    key: str = "-"  #: the idempotency key that the handler was given
    attempt: int = 0
    case: int = -1  #: value of the mail's X-Case header


def read(log: Path) -> list[Event]:
    """All events so far, oldest first."""
    if not log.exists():
        return []
    written = log.read_text()
    rows = (line.split() for line in written[: written.rfind("\n") + 1].splitlines())  # one is perhaps being written
    return [Event(Phase(row[5]), row[0], row[1], row[2], int(row[3]), int(row[4])) for row in rows]


def append(log: Path, events: Iterable[Event]) -> None:
    """Add events in one write."""
    lines = "".join(f"{e.handler} {e.mail} {e.key} {e.attempt} {e.case} {e.phase}\n" for e in events)
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
note() {{ echo "{name} ${{PWD##*/}} $WATCHER_KEY $WATCHER_ATTEMPT $number $1" >> {log}; }}
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
    line = f"{name} {{message.path.name}} {{message.key}} {{message.attempt}} {{message.header('X-Case')}}"
    os.write(LOG, f"{{line}} start\\n".encode())
    {work or "pass"}
    os.write(LOG, f"{{line}} end\\n".encode())
"""
