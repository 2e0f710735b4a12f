"""
Removing what handlers leave behind, whatever they made of it.

`shutil.rmtree` goes as deep as Python can call, and a path ends at 4096 bytes; a handler may nest directories deeper
than both. So here no path gets longer: what lies deeper is lifted first, to just below what is to be removed.
"""

import os
from pathlib import Path
from uuid import uuid4

__all__ = ["discard"]

MOST = 1_000_000  #: directories removed at once; somebody who makes as many is making more
OWN = 0o700  #: the rights it takes


def discard(path: Path) -> None:
    """Remove a file, or a directory however deep it is, even if parts of it are read-only. Raises OSError."""
    try:
        path.rmdir()  # what a handler was given for its temporary files is empty nearly always
    except FileNotFoundError:
        return
    except NotADirectoryError:
        path.unlink(missing_ok=True)
    except OSError:
        _empty(path)
        path.rmdir()


def _empty(path: Path) -> None:
    top = _opened(str(path))
    try:
        waiting = _stripped(top)
        for _ in range(MOST):
            if not waiting:
                break
            name = waiting.pop()
            waiting += _lifted(name, top)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _opened(name: str, within: int | None = None) -> int:
    """A directory, with all rights on it. It is opened before it is changed, so that no link put there leads astray."""
    held = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)
    try:
        itself = f"/proc/self/fd/{held}"
        if os.fstat(held).st_mode & OWN != OWN:
            os.chmod(itself, OWN)  # noqa: PTH101 - no path, but a name of what is open
        return os.open(itself, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(held)


def _stripped(directory: int) -> list[str]:
    """Remove all that is in it but directories; the names of these."""
    with os.scandir(directory) as entries:
        kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    for name, is_directory in kinds.items():
        if not is_directory:
            os.unlink(name, dir_fd=directory)
    return [name for name, is_directory in kinds.items() if is_directory]


def _lifted(name: str, top: int) -> list[str]:
    """Empty a directory of `top`; the new names in `top` of the directories that were in it."""
    directory = _opened(name, top)
    try:
        names = {inner: uuid4().hex for inner in _stripped(directory)}
        for inner, new in names.items():
            os.close(_opened(inner, directory))  # what can't be written can't be moved
            os.rename(inner, new, src_dir_fd=directory, dst_dir_fd=top)
    finally:
        os.close(directory)
    return [*names.values()]
