"""Copies of the package with one seeded bug each: a test that is to find losses must find those."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import watcher

__all__ = ["Mutant", "with_bug"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One seeded bug."""

    file: str  #: of the package
    before: str  #: what stands there
    after: str  #: what it becomes


def with_bug(mutant: Mutant, directory: Path) -> Path:
    """A copy of the package with the one change; the directory it lies in."""
    copy = directory / "package"
    shutil.copytree(Path(watcher.__file__).parent, copy / "watcher", ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "watcher" / mutant.file
    source = file.read_text()
    assert source.count(mutant.before) == 1, f"{mutant.file} no longer holds what the mutant changes"
    file.write_text(source.replace(mutant.before, mutant.after))
    return copy
