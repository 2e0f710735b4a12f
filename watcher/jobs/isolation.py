"""
How one process of a handler is kept apart from the rest: the level that its settings ask for, or none at all.

A level that can't be had is never replaced by a weaker one: CannotStart holds the mail.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from watcher.jobs.contract import Run
from watcher.jobs.own_user import Owner, open_way, owner_named
from watcher.jobs.premises import SECRETS, hand_over
from watcher.jobs.sandbox import PYTHON, View, real_code, refusal, wall
from watcher.store.removal import discard

__all__ = ["Cell", "cell_for_program", "cell_for_python"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What surrounds a process; this one: nothing but, if need be, another user."""

    owner: Owner | None = None

    @property
    def wrapper(self) -> tuple[str, ...]:
        """What is put before its command."""
        return self.owner.wrapper if self.owner else ()

    def seen(self, run: Run) -> Run:
        """The run as it is seen from inside."""
        return replace(run, home=run.state) if self.owner else run

    @contextmanager
    def visit(self, run: Run) -> Iterator[Run]:
        """The same, and all that the run is about is inside for as long as it lasts."""
        yield self.seen(run)

    def close(self) -> None:
        """Nothing runs in it any more."""

    def give(self, fd: int) -> None:
        """Let the process open this pipe anew, as by /dev/stdout."""
        if self.owner:
            os.fchown(fd, self.owner.uid, self.owner.gid)

    def code(self, code: int) -> int:
        """The exit status of the handler, from that of the process that we started."""
        return code

    def refusal(self, code: int, output: str) -> str | None:  # noqa: ARG002 - another cell looks
        """Why the handler was not started although its wrapper was; None if it was."""
        return None


@dataclass(frozen=True, slots=True)
class Sandbox(Cell):
    """A wall around one run of a program."""

    wall: tuple[str, ...] = ()

    @property
    def wrapper(self) -> tuple[str, ...]:
        return self.wall

    def seen(self, run: Run) -> Run:
        return replace(run, home=run.state)

    def code(self, code: int) -> int:
        return real_code(code)

    def refusal(self, code: int, output: str) -> str | None:
        return refusal(code, output)


@dataclass(frozen=True, slots=True)
class Lasting(Sandbox):
    """
    A wall around a process that serves many runs. What a run is about is put where the process sees it: at the very
    paths that it has outside, so that a path it writes down means the same there.
    """

    mail: Path = Path()  #: seen as the spool, read-only
    work: Path = Path()  #: seen as where temporary directories and actions are
    secrets: Path | None = None

    def seen(self, run: Run) -> Run:
        return replace(run, home=run.state, secrets=self.secrets)

    @contextmanager
    def visit(self, run: Run) -> Iterator[Run]:
        folders = {folder.path: self.mail / folder.path.name for folder in run.folders}
        temporary = self.work / run.temporary.name
        try:
            temporary.mkdir(mode=0o700)
            for path, shown in folders.items():
                hand_over(path, shown)
            if run.batch:
                os.link(run.batch, self.work / run.batch.name)
            self.renew(run)
            yield self.seen(run)
        finally:
            with suppress(FileNotFoundError):
                temporary.with_suffix(".actions").replace(run.actions)
            with suppress(OSError):  # it has removed its directory, or made something else of it
                temporary.rename(run.temporary)  # with the files that it wants sent
            with suppress(OSError):  # something may still write there; all goes with the process
                for path in (temporary, temporary.with_suffix(".batch"), *folders.values()):
                    discard(path)

    def close(self) -> None:
        for place in filter(None, (self.mail, self.work, self.secrets)):
            with suppress(OSError):  # cleared away later, as what has no name of the living
                discard(place)

    def renew(self, run: Run) -> None:
        """Let the process see the secrets as they are now."""
        if run.secrets is None or self.secrets is None:
            return
        for file in run.secrets.iterdir():
            kept, fresh = self.secrets / file.name, self.secrets / f".{file.name}"
            if not kept.exists() or kept.read_bytes() != file.read_bytes():
                shutil.copy(file, fresh)
                fresh.replace(kept)


def cell_for_program(run: Run, *extra: Path) -> Cell:
    """Where one run of a program is to take place, which needs the files `extra` as well. Raises CannotStart."""
    match run.settings.isolation:
        case "sandbox":
            mails = (folder.path for folder in run.folders)
            readable = filter(None, (*mails, run.batch, run.secrets))
            view = View(tuple(readable), (run.temporary, run.actions, run.state), run.folder.path)
            return Sandbox(wall=wall(view, run.program, run.settings))
        case "user":
            owner = owner_named(run.settings.user or "")
            for file in (run.program.file, *extra):
                if file is not None:
                    open_way(file, owner, run.temporary.parents[1])
            return Cell(owner)
    return Cell()


def cell_for_python(run: Run, tag: str) -> Cell:
    """Where a process that serves runs like this one is to live; `tag` is its name. Raises CannotStart."""
    if run.settings.isolation != "sandbox":
        return cell_for_program(run, *PYTHON, Path(sys.executable).resolve())
    scratch = run.temporary.parent
    mail, work = scratch / f"{tag}.mail", scratch / f"{tag}.work"
    secrets = run.secrets.with_name(f"{SECRETS}{tag}.{run.tag}") if run.secrets else None
    shown = (mail, secrets) if secrets else (mail,)
    shown_at = {mail: run.folder.path.parent, work: scratch}
    view = View((*PYTHON, *shown), (work, run.state), Path("/"), shown_at)
    cell = Lasting(wall=wall(view, run.program, run.settings), mail=mail, work=work, secrets=secrets)
    for place in (work, *shown):
        place.mkdir(mode=0o700)
    cell.renew(run)
    return cell
