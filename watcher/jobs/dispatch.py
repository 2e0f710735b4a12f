"""
One piece of work in, one outcome out: finds the handler, looks whether it may run, runs it, reads what it asks for.

Nothing a handler does gets further than its outcome: whatever it leaves (processes, files, output) ends here.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

from watcher.config.handlers import HandlerSettings
from watcher.errors import HandlerMissing, MailRefused, SpoolFull
from watcher.jobs.actions import ActionsRefused, Wishes, read
from watcher.jobs.breaker import Breaker
from watcher.jobs.contract import INTERRUPTED, Run, RunEnding
from watcher.jobs.gate import Gate
from watcher.jobs.host import Hosts
from watcher.jobs.ownership import objection, trail
from watcher.jobs.pins import Pins
from watcher.jobs.premises import Estate, seal
from watcher.jobs.program import CannotStart, HandlerKind, kind_of, program
from watcher.jobs.script import run_script
from watcher.jobs.soundness import check
from watcher.jobs.strays import Strays
from watcher.jobs.tidier import Tidier
from watcher.jobs.versions import Versions
from watcher.jobs.webhook import run_webhook
from watcher.model import MailFolder, Outcome, Verdict, Work
from watcher.printing import one_line
from watcher.wishes import Correspondence, Request

__all__ = ["Dispatcher"]

#: Runs a handler of one kind once, interrupted when the file descriptor becomes readable.
Runner = Callable[[Run, int], RunEnding]

#: Makes letters of what one run wants sent. Raises MailRefused, SpoolFull.
Write = Callable[[Work, Sequence[Request], Sequence[Path]], Correspondence]


def _nobody_writes(_: Work, requests: Sequence[Request], __: Sequence[Path]) -> Correspondence:
    if requests:
        raise MailRefused("there is no way to send mail")
    return Correspondence()


class Dispatcher:
    """Runs handlers. Safe to use from many threads; how many run at once is the caller's to say."""

    def __init__(
        self,
        settings: Callable[[str], HandlerSettings],
        handlers: Path,
        spool: Path,
        scratch: Path | None = None,
        write: Write = _nobody_writes,
    ) -> None:
        """
        `settings` gives those of a handler by name; `handlers` holds their files, `spool` the mail folders. In
        `scratch` each run gets a directory of its own. What an earlier life of the daemon left there, or left running,
        is cleared away. `write` makes letters of what a run wants sent; the paths are those that files may come from.
        """
        self._settings = settings
        self._write = write
        self._spool = spool.absolute()
        kept = self._spool.parent / "handler-versions"
        self._handlers = handlers.absolute()
        self._versions = Versions(self._handlers, kept, _check_ownership, self._check_soundness)
        scratch = scratch or self._spool.parent / "scratch"
        scratch.mkdir(mode=0o700, exist_ok=True)
        self._states = self._spool.parent / "handler-state"
        self._states.mkdir(mode=0o700, exist_ok=True)
        self._strays = Strays(self._spool)
        self._estate = Estate(scratch, self._strays)
        self._hosts = Hosts(self._strays)
        self._breaker = Breaker()
        self._pins = Pins(self._spool.parent / "handler-pins")
        self._runners: dict[HandlerKind, Runner] = {
            HandlerKind.PROGRAM: run_script,
            HandlerKind.PYTHON: self._hosts.run,
            HandlerKind.WEBHOOK: run_webhook,
        }
        self._gate = Gate()
        self._tidier = Tidier(self._hosts, self._strays, self._estate)

    def run_batch(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
        """Run the handler of all these once, on all their mails that are there."""
        if len(works) == 1:
            yield works[0], self.run(*works)
            return
        outcomes = {work.id: _absent(self._folder(work)) for work in works}
        there = [work for work in works if outcomes[work.id] is None]
        common = self.run(*there) if there else None
        for work in works:
            outcome = outcomes[work.id] or common
            assert outcome
            yield work, outcome

    def run(self, work: Work, *others: Work) -> Outcome:
        """
        Run the handler `work.name` once on its mail; if it has `batch`, on the mails of the others too.

        Whatever goes wrong is told in the outcome.
        """
        if not self._gate.enter():
            return _outcome(INTERRUPTED)
        try:
            settings = self._settings(work.name)
            if refusal := self._breaker.refusal(work.name, settings, monotonic()):
                return refusal
            outcome = self._attempt(settings, work, *others)
            return self._breaker.note(work.name, settings, work.key, outcome, monotonic())
        finally:
            self._gate.leave()
            self._tidier.call()

    def refresh(self) -> bool:
        """Look for handlers that have changed; whether there is anything new. A broken one does not count."""
        news = self._versions.refresh()
        if news:
            self._breaker.forget()
        return news

    def forget(self) -> None:
        """Try again what was left alone because it failed."""
        self._breaker.forget()

    def troubles(self) -> dict[str, str]:
        """Handlers with which something is wrong, by name, and what."""
        return {**self._breaker.troubles(), **self._versions.troubles()}

    def close(self) -> None:
        """Start nothing more, interrupt what runs, which is held then and has used no attempt, and clear up."""
        self._gate.shut()
        self._tidier.close()

    def _attempt(self, settings: HandlerSettings, work: Work, *others: Work) -> Outcome:
        try:
            return self._carry_out(settings, work, *others)
        except (CannotStart, HandlerMissing) as error:
            return Outcome(Verdict.HOLD, one_line(str(error), 500))
        except (ActionsRefused, MailRefused) as error:
            return Outcome(Verdict.NEVER, one_line(str(error), 500))
        except SpoolFull as error:
            return Outcome(Verdict.LATER, one_line(f"no room for a mail to send: {error}", 500))
        except OSError as error:  # an earlier handler has spoilt the mail folder, or the machine is short of something
            what = ": ".join(str(part) for part in (error.strerror, error.filename) if part)
            return Outcome(Verdict.LATER, one_line(f"could not be run: {what}", 500))
        except RecursionError:  # as it has, too, by directories within one another that have no end
            return Outcome(Verdict.NEVER, "could not be run: the mail folder is nested too deep to be handed over")

    def _carry_out(self, settings: HandlerSettings, work: Work, *others: Work) -> Outcome:
        found = program(self._versions.current, work.name, settings)
        if settings.command and found.file is not None:  # of others it was looked at when a version was asked for
            _check_ownership(found.file)
        elif found.file is not None:
            found = replace(found, origin=self._handlers)
        if settings.sha256:
            found = self._pins.held(found, settings.sha256)
        folders = [self._folder(one) for one in (work, *others)]
        for folder in folders:
            if absent := _absent(folder):
                return absent
            seal(folder)
        home = Path(os.environ.get("HOME", "/"))
        state = self._state(work.name)
        with self._strays.tagged() as tag, self._estate.premises(tag, folders, state, settings) as given:
            mail, *rest = given.folders
            run = Run(
                work, found, mail, given.temporary, tag, home, state, settings, tuple(rest), given.batch, given.secrets
            )
            ending = self._runners[found.kind](run, self._gate.stop)
            success = ending.verdict in {Verdict.DONE, Verdict.STOP}
            wishes = read(run.actions) if success else Wishes()
            roots = [*dict.fromkeys(one.path for one in (*folders, *given.folders)), given.temporary, state]
            return _outcome(ending, wishes, self._write(work, wishes.requests, roots))

    def _folder(self, work: Work) -> MailFolder:
        return MailFolder(self._spool / work.key)

    def _check_soundness(self, name: str, file: Path, replaces: bool) -> None:
        """Raises CannotStart. Python is loaded by its warm process; before that only if it is to replace another."""
        if kind_of(file) is HandlerKind.PROGRAM or replaces:
            check(name, file, self._settings(name))

    def _state(self, name: str) -> Path:
        """The directory in which a handler may keep what it likes."""
        path = self._states / name
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)
        return path


def _outcome(ending: RunEnding, wishes: Wishes | None = None, letters: Correspondence | None = None) -> Outcome:
    wishes, letters = wishes or Wishes(), letters or Correspondence()
    reason = one_line("; ".join(filter(None, (ending.reason, *wishes.notes, *letters.notes))), 500)
    return Outcome(ending.verdict, reason, ending.output, ending.delay, wishes.actions, postings=letters.postings)


def _absent(folder: MailFolder) -> Outcome | None:
    """Why there is nothing to run a handler on."""
    if folder.path.is_symlink() or not folder.raw.is_file():
        return Outcome(Verdict.NEVER, f"the mail is not in the spool any more: {folder.raw}")
    if not folder.facts.is_file():
        return Outcome(Verdict.LATER, f"gone, and to be made anew: {folder.facts}")
    return None


def _check_ownership(file: Path) -> None:
    try:
        reason = objection(trail(file), os.geteuid())
    except OSError as error:
        raise CannotStart(f"{file} can't be reached: {error.strerror or error}") from error
    if reason:
        raise CannotStart(reason)
