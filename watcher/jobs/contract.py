"""
Contract 1, the pure part: what a handler is told and what its exit means. `docs/handlers.md` says it for authors.

Every kind of handler (script, warm Python, webhook) is given the same `Run` and gives back one `RunEnding`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from signal import Signals

from watcher.config.handlers import HandlerSettings
from watcher.config.programs import PATH
from watcher.jobs.program import Program
from watcher.model import MailFolder, Verdict, Work, identity
from watcher.printing import one_line

__all__ = [
    "CONTRACT",
    "INTERRUPTED",
    "TAG",
    "Run",
    "RunEnding",
    "environment",
    "exited",
    "first_at",
    "key",
    "standing",
    "verdict",
]

CONTRACT = 1

#: The variable that marks every process of a run, so that what outlives the run is found (see `strays`).
TAG = "WATCHER_RUN"

#: What an exit code means where a convention gives it a meaning: sysexits(3), qmail-command(8), sh(1).
MEANINGS: Mapping[int, str] = {
    64: "wrong usage",
    65: "bad data",
    66: "no input",
    67: "no such user",
    68: "no such host",
    69: "service unavailable",
    70: "internal error",
    71: "system error",
    72: "system file missing",
    73: "can't create the output",
    74: "input/output error",
    75: "try again later",
    76: "protocol error",
    77: "permission denied",
    78: "configuration error",
    100: "refused for good",
    111: "failed for now",
    112: "failed for good",
    126: "a command could not be executed",
    127: "a command was not found",
}

#: Unlisted codes mean "later", as in qmail and Courier: an unknown failure may pass, a lost mail does not come back.
VERDICTS: Mapping[int, Verdict] = {
    0: Verdict.DONE,
    99: Verdict.STOP,
    **dict.fromkeys((*range(64, 71), 72, 73, 76, 77, 100, 112), Verdict.NEVER),
    **dict.fromkeys((78, 126, 127), Verdict.HOLD),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt of one handler on one mail: all that a kind of handler needs to know."""

    work: Work
    program: Program  #: found trustworthy
    folder: MailFolder
    temporary: Path  #: directory of this run alone, removed after it
    tag: str  #: value of the variable that marks its processes
    home: Path
    state: Path  #: directory of this handler alone, which stays from run to run
    settings: HandlerSettings
    others: tuple[MailFolder, ...] = ()  #: of further mails, if its handler gets many at once
    batch: Path | None = None  #: file that lists all mail folders, if it does
    secrets: Path | None = None  #: directory with one file for each of its secrets, if it has any

    @property
    def folders(self) -> tuple[MailFolder, ...]:
        """Of all its mails."""
        return self.folder, *self.others

    @property
    def actions(self) -> Path:
        """The file it writes its actions to: beside the directory, so that clearing that does not lose them."""
        return self.temporary.with_suffix(".actions")


@dataclass(frozen=True, slots=True)
class RunEnding:
    """How a run ended, before its actions are read."""

    verdict: Verdict
    reason: str = ""  #: one line, in words
    output: str = ""  #: first and last part of what it printed, printable
    delay: float | None = None  #: seconds it asks to wait before the next attempt


#: A run that was cut off because the daemon stops. It is held, so that no attempt is used, and comes back at once.
INTERRUPTED = RunEnding(Verdict.HOLD, "interrupted: the daemon is stopping", delay=1.0)


def key(work: Work) -> str:
    """Name of this handler's work on this mail: the same for all attempts, another for each handler. 32 characters."""
    return identity(work.key, work.name)


def first_at(work: Work) -> str:
    """When the first attempt began, in ISO 8601."""
    return datetime.fromtimestamp(work.first_at, UTC).isoformat(timespec="seconds")


def standing(run: Run) -> dict[str, str]:
    """The variables that are the same for all runs of a handler."""
    return {
        "PATH": PATH,
        "HOME": str(run.home),
        "LANG": "C.UTF-8",
        **run.settings.env,
        "WATCHER_CONTRACT": str(CONTRACT),
        "WATCHER_HANDLER": run.work.name,
        "WATCHER_STATE": str(run.state),
        **({"WATCHER_SECRETS": str(run.secrets)} if run.secrets else {}),
    }


def environment(run: Run) -> dict[str, str]:
    """All variables of a run. Nothing in them was written by the sender of the mail."""
    work, place = run.work, run.work.place
    return {
        "TMPDIR": str(run.temporary),
        **standing(run),
        "WATCHER_KEY": key(work),
        "WATCHER_ATTEMPT": str(work.attempt),
        "WATCHER_FIRST_AT": first_at(work),
        "WATCHER_ACCOUNT": place.account,
        "WATCHER_FOLDER": place.folder,
        "WATCHER_UIDVALIDITY": str(place.uidvalidity),
        "WATCHER_UID": str(place.uid),
        "WATCHER_SHA256": work.digest,
        "WATCHER_MESSAGE": str(run.folder.facts),
        "WATCHER_MAIL": str(run.folder.raw),
        "WATCHER_ACTIONS": str(run.actions),
        **({"WATCHER_BATCH": str(run.batch)} if run.batch else {}),
        TAG: run.tag,
        **({"WATCHER_REPLAY": "1"} if work.replay else {}),
    }


def verdict(code: int) -> Verdict:
    """What an exit status means; negative: the signal that killed it, as `subprocess` counts."""
    return Verdict.CRASHED if code < 0 else VERDICTS.get(code, Verdict.LATER)


def exited(code: int, output: str) -> RunEnding:
    """The ending of a program that exited by itself or was killed by a signal that we did not send."""
    if code < 0:
        return RunEnding(Verdict.CRASHED, f"killed by {_signal_name(-code)}", output)
    if verdict(code) in {Verdict.DONE, Verdict.STOP}:
        return RunEnding(verdict(code), output=output)
    meaning = f" ({MEANINGS[code]})" if code in MEANINGS else ""
    last = one_line(output.rstrip().rpartition("\n")[2])
    return RunEnding(verdict(code), f"exit {code}{meaning}" + (f": {last}" if last else ""), output)


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:  # a real-time signal between the first and the last has no name
        return f"signal {number}"
