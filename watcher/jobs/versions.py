"""
Handlers as they were last found sound. What an author saves half-way or breaks is never run: the version before it is.

Each version that is let at mail is a copy, since a shell reads its script while it runs it, in a directory of its own
where all else that lies beside the handler is linked: what it finds by its own path, it still finds. So does one that
is a link to where its author works.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock

from watcher.config.handlers import find_handler
from watcher.errors import HandlerMissing
from watcher.jobs.program import ELF, CannotStart
from watcher.store.removal import discard

__all__ = ["Versions"]

log = logging.getLogger(__name__)

KEPT = 3600.0  #: seconds that an old version stays for those who run it still

SETTLED = 1_000_000_000  #: nanoseconds after which no second change can bear the same time as the last

Stat = tuple[str, int, int, int, int]  #: name, inode, time of change (nanoseconds), size and mode
Stamp = tuple[Stat, ...]  #: of a file, and of what a Python handler may import


@dataclass(frozen=True, slots=True)
class Version:
    """One handler as it was at one time."""

    program: Path  #: to be run
    directory: Path  #: of its copy, if there is one


class Versions:
    """Gives each handler's program to run, and looks for new ones when told to. Safe to use from many threads."""

    def __init__(
        self, handlers: Path, kept: Path, trust: Callable[[Path], None], check: Callable[[str, Path, bool], None]
    ) -> None:
        """
        `handlers`: the directory of the authors. `kept`: one for copies, emptied now. `trust` gets the file of a
        handler before each run, `check` the name of a handler, a copy of its file, and whether another version is in
        use; they raise CannotStart if others could have written it, or if it is broken.
        """
        self._handlers = handlers
        self._kept = kept
        self._trust = trust
        self._check = check
        self._lock = Lock()
        self._looked_at: dict[str, Stamp] = {}
        self._found: dict[str, tuple[Stat, Path]] = {}
        self._sound: dict[str, Version] = {}
        self._broken: dict[str, str] = {}
        self._old: list[tuple[float, Path]] = []  # since when
        self._numbers = count(1)
        discard(kept)
        kept.mkdir(mode=0o700)

    def current(self, name: str) -> Path:
        """The program of a handler. Raises HandlerMissing, CannotStart, OSError."""
        original = self._find(name)
        self._trust(original)
        if name not in self._looked_at:
            with self._lock:
                self._look_at(name, original)
        if version := self._sound.get(name):
            return version.program
        if not self._looked_at[name]:
            raise CannotStart(f"the handler {name} has just come back: it is looked at first")
        raise CannotStart(self._broken[name])

    def _find(self, name: str) -> Path:
        """Its file. The folder is listed only if something has come or gone there since that was done last."""
        changed = _stat(self._handlers)
        when, original = self._found.get(name, (None, self._handlers))
        if changed is None or when != changed:
            original = find_handler(self._handlers, name)
            if changed and time.time_ns() - changed[2] > SETTLED:
                self._found[name] = changed, original
        return original

    def refresh(self) -> bool:
        """Look for handlers that have changed since they were first asked for; whether there is anything new."""
        with self._lock:
            before = dict(self._sound), dict(self._broken)
            for name in list(self._looked_at):
                try:
                    self._look_at(name, find_handler(self._handlers, name))
                except HandlerMissing as error:
                    self._replace(name, None)
                    self._broken[name] = str(error)
                    self._looked_at[name] = ()
                except OSError as error:  # the machine is short of something: there is a next time
                    log.warning("handler %s can't be looked at: %s", name, error.strerror)
            self._clear_away(time.monotonic())
            return before != (self._sound, self._broken)

    def troubles(self) -> dict[str, str]:
        """What is wrong with the newest version of a handler, by name, and whether an older one still runs."""
        with self._lock:
            return {name: self._told(name) for name in sorted(self._broken)}

    def _told(self, name: str) -> str:
        return self._broken[name] + ("; the version before it still runs" if name in self._sound else "")

    def _look_at(self, name: str, original: Path) -> None:
        """Take over what stands there now, if it is another than was looked at last, and sound."""
        stamp = _stamp(original)
        version = self._sound.get(name)
        if self._looked_at.get(name) == stamp and name not in self._broken:  # else what it lacked may be there now
            if version and version.directory.exists():
                _link_neighbours(version.directory, original)
            return
        directory = self._kept / f"{name}.{next(self._numbers)}"
        try:
            program = self._copy(original, directory)
            self._check(name, program, version is not None)
        except CannotStart as error:
            discard(directory)
            self._break(name, str(error).replace(str(directory), str(self._handlers)))
        except BaseException:
            discard(directory)
            raise
        else:
            self._broken.pop(name, None)
            self._replace(name, Version(program, directory))
        self._looked_at[name] = stamp

    def _break(self, name: str, reason: str) -> None:
        """Its newest version is broken; that is logged once."""
        if self._broken.get(name) != reason:
            self._broken[name] = reason
            log.error("handler %s: %s", name, self._told(name))

    def _replace(self, name: str, version: Version | None) -> None:
        """Put a version in use. The one before it is kept for those who still run it."""
        if before := self._sound.pop(name, None):
            log.info("handler %s %s", name, "was changed" if version else "is gone: its mail waits")
            self._old.append((time.monotonic(), before.directory))
        if version:
            self._sound[name] = version

    def _clear_away(self, now: float) -> None:
        over = [directory for since, directory in self._old if now - since > KEPT]
        self._old = [(since, directory) for since, directory in self._old if now - since <= KEPT]
        for directory in over:
            discard(directory)

    def _copy(self, original: Path, directory: Path) -> Path:
        """A copy to run and to keep. A binary stays where it is: the kernel lets nobody write into one that runs."""
        if _is_binary(original):
            return original
        directory.mkdir(mode=0o755)
        program = directory / original.name
        shutil.copy(original, program)
        _link_neighbours(directory, original)
        return program


def _link_neighbours(directory: Path, original: Path) -> None:
    """Let a copy find what has come to lie beside the handler."""
    known = {path.name for path in directory.iterdir()}
    for place in _surroundings(original):
        for neighbour in place.iterdir():
            if neighbour.name not in known:
                known.add(neighbour.name)
                (directory / neighbour.name).symlink_to(neighbour)


def _surroundings(original: Path) -> Iterable[Path]:
    """Where it lies; of a link also where it leads to."""
    return dict.fromkeys((original.parent, original.resolve().parent))


def _stamp(original: Path) -> Stamp:
    """What tells one version from another; without the file, if that has just vanished."""
    belonging = [original]
    if original.suffix == ".py":  # it may import its neighbours
        belonging += sorted(path for place in _surroundings(original) for path in place.glob("*.py"))
    return tuple(filter(None, map(_stat, belonging)))


def _stat(path: Path) -> Stat | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return path.name, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def _is_binary(program: Path) -> bool:
    try:
        with program.open("rb") as file:
            return file.read(len(ELF)) == ELF
    except OSError as error:
        raise CannotStart(f"{program} can't be read: {error.strerror}") from error
