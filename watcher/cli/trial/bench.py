"""A state directory for one trial: one mail taken apart in its spool, and the daemon's own dispatcher on it."""

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from watcher.config import Config, HandlerSettings
from watcher.errors import WatcherError
from watcher.jobs.dispatch import Dispatcher
from watcher.limits import USUAL
from watcher.mail.pool import UnpackPool
from watcher.model import Decision, Envelope, Kind, MailFolder, Message, Outcome, Place, Work
from watcher.retry import RetryPolicy, decide, doubled
from watcher.store.removal import discard
from watcher.unpacking import trust_policy
from watcher.wishes import Correspondence, Request

__all__ = ["Bench", "Run", "bench", "lay_out", "runs", "stand_in", "standing_in", "surroundings", "unsent"]

#: Of the account, where no configuration names one.
NOBODY = "try"

#: How a NUL in what a handler prints is shown, and the variables that its shell adds.
NUL, SHELL = "\\x00", {"", "_", "PWD", "OLDPWD", "SHLVL"}

#: Seconds that something gets that never ends.
SHORT = 1.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What a handler is tried on."""

    root: Path  #: the state directory
    folder: MailFolder  #: of the mail
    message: Message
    work: Work  #: the first run
    account: str  #: the mail is looked at as one of this account, "" if there is none


@dataclass(frozen=True, slots=True)
class Run:
    """One run and what follows from it."""

    work: Work
    outcome: Outcome
    decision: Decision
    seconds: float  #: time it took
    decided_at: float  #: seconds since 1970
    letters: tuple[Request, ...] = ()  #: mails it wants sent


@contextmanager
def bench(kept: Path | None) -> Iterator[Path]:
    """An empty state directory: a temporary one, or `kept`, which is made and stays. Raises WatcherError."""
    if kept is not None:
        try:
            kept.mkdir(mode=0o700)
        except OSError as error:
            raise WatcherError(f"{kept}: can't be made: {error.strerror}") from error
        yield kept.absolute()
        return
    with TemporaryDirectory(prefix="imap-watcher-try-") as name:
        try:
            yield Path(name)
        finally:
            discard(Path(name) / "spool")  # what was sealed for the handler resists a plain removal


def lay_out(root: Path, raw: IO[bytes], name: str, config: Config | None, account: str) -> Bench:
    """Take the mail `raw` apart below `root`, for a run of the handler `name`. Raises WatcherError, Unreadable."""
    key = uuid.uuid4().hex  # another one each time: a handler may remember what it has done
    folder = MailFolder(root / "spool" / key)
    folder.path.mkdir(mode=0o700, parents=True)
    try:
        with folder.raw.open("xb+") as copy:
            shutil.copyfileobj(raw, copy)
            copy.seek(0)
            digest = file_digest(copy, "sha256").hexdigest()
    except OSError as error:
        raise WatcherError(f"the mail can't be copied to {root}: {error.strerror}") from error
    place, received = Place(account or NOBODY, "INBOX", 1, 1), datetime.now(UTC)
    judging = config.account(account) if config else None
    pool = UnpackPool(1, config.limits if config else USUAL)
    try:
        envelope = Envelope(key, place.account, place.folder, place.uidvalidity, place.uid, received)
        message = pool.unpack(folder, envelope, trust_policy(judging))
    finally:
        pool.close()
    work = Work(1, Kind.JOB, name, "", 1, key, place, received, digest, 1, 1, 0, time.time())
    return Bench(root, folder, message, work, account)


def stand_in(root: Path, name: str, command: str) -> Path:
    """A handlers folder in which the handler `name` is this command of the shell."""
    folder = root / "stand-in"
    folder.mkdir(mode=0o700, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o700)
    return folder


def surroundings(on: Bench, settings: HandlerSettings) -> dict[str, str]:
    """The variables of a run, as a program finds them that is run in place of the handler; none if it can't be."""
    folder = stand_in(on.root, on.work.name, "exec env -0")
    [run] = runs(on, folder, standing_in(settings, slow=False), attempt=1, times=1)
    pairs = (pair.partition("=") for pair in run.outcome.output.split(NUL))
    return {name: value for name, _, value in sorted(pairs) if name not in SHELL}


def standing_in(settings: HandlerSettings, *, slow: bool) -> HandlerSettings:
    """Those of what stands in for a handler: its own, but a short time if it is to be too slow."""
    plain = replace(settings, command=(), entry_point=None, url=None, stdin="none")
    return replace(plain, timeout=min(SHORT, settings.timeout)) if slow else plain


def runs(on: Bench, handlers: Path, settings: HandlerSettings, *, attempt: int, times: int) -> Iterator[Run]:
    """Run the handler so often, under the same key: from this attempt on, all before it having failed alike."""
    letters: list[Request] = []
    dispatcher = Dispatcher(lambda _: settings, handlers, on.root / "spool", write=partial(unsent, letters))
    try:
        for number in range(attempt, attempt + times):
            run = _run(dispatcher, on.work, settings.retry_policy, number)
            yield replace(run, letters=tuple(letters))
            letters.clear()
    finally:
        dispatcher.close()


def _run(dispatcher: Dispatcher, work: Work, policy: RetryPolicy, attempt: int) -> Run:
    waited = sum(doubled(policy.first, number, policy.cap) for number in range(attempt - 1))
    work = replace(work, attempt=attempt, tries=attempt, crashes=attempt - 1, first_at=work.first_at - waited)
    began = time.monotonic()
    outcome = dispatcher.run(work)
    took, now = time.monotonic() - began, time.time()
    decision = decide(outcome, work, policy, now, rnd=lambda: 0.5)
    return Run(work, outcome, decision, took, now)


def unsent(letters: list[Request], _: Work, requests: Sequence[Request], __: Sequence[Path]) -> Correspondence:
    """Note in `letters` what is to be sent, and send nothing."""
    letters += requests
    return Correspondence()
