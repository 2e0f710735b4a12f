"""
Handlers that come with installed Python packages: entry points of the group `imap_watcher.handlers`.

They are looked up anew when a package was installed or removed, which changes a directory that Python imports from.
"""

import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path

__all__ = ["GROUP", "EntryPoint", "installed"]

GROUP = "imap_watcher.handlers"

Stamp = tuple[int, ...]  #: when each directory of `sys.path` was last changed, nanoseconds; 0 for none


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """One entry point."""

    name: str
    target: str  #: "package.module:function"
    version: str  #: of its package
    found: Stamp  #: what was installed when it was found; another one may be another version


def installed() -> dict[str, EntryPoint]:
    """All entry points of the group, by name; where packages claim the same name, the first on `sys.path` has it."""
    return _entries(tuple(_changed(Path(place)) for place in sys.path))


@lru_cache(maxsize=1)
def _entries(stamp: Stamp) -> dict[str, EntryPoint]:
    found = reversed(list(entry_points(group=GROUP)))
    return {one.name: EntryPoint(one.name, one.value, one.dist.version if one.dist else "", stamp) for one in found}


def _changed(place: Path) -> int:
    try:
        return place.stat().st_mtime_ns
    except OSError:  # many entries of sys.path are not there
        return 0
