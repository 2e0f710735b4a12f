"""The handlers that come with imap-watcher: where they lie, and what stands in the head of each."""

import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from watcher.errors import WatcherError

__all__ = ["Shipped", "find_shipped", "shipped"]

#: Comments at the beginning of a script, behind its `#!` line; or the docstring of one in Python.
COMMENTS = re.compile(r"\A(?:#!.*\n)?((?:#.*\n)+)")
DOCSTRING = re.compile(r'\A(?:#![^\n]*\n)?"""\n(.*?)"""', re.DOTALL)
EXAMPLE = "An example:\n"


@dataclass(frozen=True, slots=True)
class Shipped:
    """One of them."""

    name: str
    path: Path
    about: str  #: what it does, in a sentence or two
    head: str  #: all that its head says but for the example
    example: str  #: sections of a configuration that uses it

    @property
    def text(self) -> str:
        """The file."""
        return self.path.read_text("utf-8")


def shipped() -> list[Shipped]:
    """All of them, by name. Raises WatcherError if they are not there."""
    folder = _folder()
    return [_described(path) for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]


def find_shipped(name: str) -> Shipped:
    """The one of this name. Raises WatcherError if there is none."""
    known = shipped()
    for one in known:
        if one.name == name:
            return one
    raise WatcherError(f"no handler {name} comes with imap-watcher; there are {', '.join(one.name for one in known)}")


def _folder() -> Path:
    """Beside the package in a checkout, else where an installation puts shared data."""
    checkout = Path(__file__).parents[3]
    if (checkout / "pyproject.toml").is_file() and (checkout / "handlers").is_dir():
        return checkout / "handlers"
    installed = Path(sysconfig.get_path("data")) / "share" / "imap-watcher" / "handlers"
    if not installed.is_dir():
        raise WatcherError(f"the handlers are not where an installation puts them: {installed}")
    return installed


def _described(path: Path) -> Shipped:
    text = path.read_text("utf-8")
    if docstring := DOCSTRING.search(text):
        head = docstring[1]
    else:
        comments = COMMENTS.search(text)
        head = re.sub(r"^# ?", "", comments[1], flags=re.MULTILINE) if comments else ""
    says, _, example = head.partition(EXAMPLE)
    about = " ".join(says.split("\n\n", 1)[0].split())
    return Shipped(path.name.split(".", 1)[0], path, about, says.strip(), dedent(example).strip() + "\n")
