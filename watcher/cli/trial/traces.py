"""What a handler has left behind: files at the paths that its settings name, before and after."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

__all__ = ["Traces", "changes", "look", "named_paths"]

MOST = 2000  #: files that are looked at
DIGESTED = 64 << 20  #: bytes of a file; of a larger one, size and time count


@dataclass(frozen=True, slots=True)
class Traces:
    """Files and what is in them."""

    found: Mapping[Path, tuple[int, str]]  #: size, and what changes with the content
    whole: bool  #: all were looked at


def named_paths(environment: Mapping[str, str]) -> list[Path]:
    """The absolute paths among the values of these variables, but for the root of all."""
    paths = (Path(value) for value in environment.values() if value.startswith("/"))
    return [path for path in dict.fromkeys(paths) if path != Path("/")]


def look(paths: Iterable[Path]) -> Traces:
    """The files at these paths and below them, as they are now."""
    found: dict[Path, tuple[int, str]] = {}
    for file in (file for path in paths for file in _files(path)):
        if len(found) >= MOST:
            return Traces(found, whole=False)
        try:
            found[file] = _state(file)
        except OSError:  # gone meanwhile, or not ours to read: nothing can be said of it
            continue
    return Traces(found, whole=True)


def changes(before: Traces, after: Traces) -> list[str]:
    """What has changed, a line a file."""
    lines = []
    for file in sorted(before.found.keys() | after.found.keys()):
        old, new = before.found.get(file), after.found.get(file)
        if new is None:
            lines.append(f"- {file}")
        elif old != new:
            lines.append(f"{'+' if old is None else '~'} {file} ({new[0]} bytes)")
    return lines


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def _state(file: Path) -> tuple[int, str]:
    found = file.stat()
    if found.st_size > DIGESTED:
        return found.st_size, str(found.st_mtime_ns)
    with file.open("rb") as content:
        return found.st_size, file_digest(content, "sha256").hexdigest()
