"""Where handlers are written and tried: beside a configuration or, as long as there is none, where it will be."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import typer

from watcher.config import Config, HandlerSettings, find, load
from watcher.config.settings import default_file
from watcher.errors import WatcherError

__all__ = ["Workshop", "check_name", "mode_of", "open_workshop", "program_for", "rule_for", "taken_by"]

#: A handler's name becomes a file name, a key of TOML and the name of a Python package.
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the configuration says, if there is one."""

    path: Path  #: of the configuration file, which need not be there
    config: Config | None  #: None if it is not there

    @property
    def handlers(self) -> Path:
        """The folder of the handlers."""
        return self.config.watcher.handlers if self.config else self.path.absolute().parent / "handlers"

    def settings(self, name: str) -> HandlerSettings:
        """Those of the handler `name`."""
        return self.config.handler(name) if self.config else HandlerSettings()

    @property
    def program(self) -> str:
        """How this command is called for this configuration, ready for a shell."""
        return program_for(self.path)


def program_for(config: Path) -> str:
    """How this command is called for the configuration at `config`, ready for a shell."""
    return "imap-watcher" if config == default_file() else f"imap-watcher --config {shlex.quote(str(config))}"


def open_workshop(context: typer.Context) -> Workshop:
    """The workshop of the command line. Raises ConfigError if the configuration is there and can't be used."""
    given: Path | None = context.obj
    path = find(given)
    return Workshop(path, load(path) if given or path.exists() else None)


def check_name(name: str) -> str:
    """`name`, which can be a handler's. Raises WatcherError."""
    if not name or len(name) > _LONGEST or name[0] == "-" or not set(name) <= _LETTERS:
        raise WatcherError(
            f"{name!r} can't name a handler: take letters, digits, '-' and '_', {_LONGEST} at most, no '-' first"
        )
    return name


def taken_by(folder: Path, name: str) -> list[Path]:
    """The files in `folder` by which the handler `name` is there already."""
    return sorted((*folder.glob(name), *folder.glob(f"{name}.*")))


def mode_of(text: str) -> int:
    """Of a handler's file: who has a `#!` line is executed, other Python is kept warm."""
    return 0o755 if text.startswith("#!") else 0o644


def rule_for(name: str) -> str:
    """A rule that gives mail to the handler `name`, as it stands in the configuration."""
    return f'[[rule]]\n# when = {{ from = "*@example.com" }}   # which mail; without it every mail\nrun = ["{name}"]\n'
