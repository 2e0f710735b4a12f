"""
Handlers whose very bytes the configuration names by their SHA-256: any others are not run.

What runs is a copy of our own, made of the bytes that were hashed, so that nothing can change in between.
"""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Lock

from watcher.jobs.program import CannotStart, Program
from watcher.store.removal import discard

__all__ = ["Pins"]

#: Device, inode, times of change of the bytes and of anything (nanoseconds; nobody can set the last), size.
Stamp = tuple[int, int, int, int, int]


class Pins:
    """Copies of pinned handlers. Safe to use from many threads."""

    def __init__(self, kept: Path) -> None:
        """`kept`: a directory for the copies, emptied now."""
        if kept.exists():
            discard(kept)
        kept.mkdir(mode=0o700)
        self._kept = kept
        self._lock = Lock()
        self._digests: dict[Path, tuple[Stamp, str]] = {}

    def held(self, program: Program, wanted: str) -> Program:
        """The same program, from a copy that has this digest. Raises CannotStart if it has another, OSError."""
        if program.file is None:
            raise CannotStart("it has sha256, but no file whose it could be")
        with self._lock:
            found = self._digest(program.file)
        if found != wanted:
            raise CannotStart(
                f"{program.file.name} has the SHA-256 {found}, and {wanted} is asked for: is the change yours?"
            )
        copy = self._kept / found / program.file.name
        return replace(program, argv=(str(copy), *program.argv[1:]), file=copy)

    def _digest(self, file: Path) -> str:
        """The digest of a file, of which there is a copy then."""
        stamp, digest = self._digests.get(file, (None, ""))
        if stamp == _stamp(file):
            return digest
        stamp = _stamp(file)
        content = file.read_bytes()
        digest = sha256(content).hexdigest()
        copy = self._kept / digest / file.name
        if not copy.exists():
            copy.parent.mkdir(mode=0o755, exist_ok=True)
            draft = self._kept / "draft"  # a disk that is full leaves the first part, and that has another digest
            draft.write_bytes(content)
            draft.chmod(file.stat().st_mode & 0o555)
            draft.replace(copy)
        self._digests[file] = stamp, digest
        return digest


def _stamp(file: Path) -> Stamp:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
