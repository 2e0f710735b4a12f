"""The commands by name. Each is imported when somebody asks for it: together they take a second and 70 MB."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["Commands"]

Command = Any  # typer gives its commands no public type

#: Where each command is: module below this package, and what is called; in the order of --help.
SHELF: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "demo"),
    "init": ("init", "init"),
    "check": ("check", "check"),
    "doctor": ("doctor", "doctor"),
    "login": ("login", "login"),
    "run": ("run", "run"),
    "status": ("status", "status"),
    "tail": ("tail", "tail"),
    "reload": ("reload", "reload"),
    "pause": ("pause", "pause"),
    "resume": ("pause", "resume"),
    "replay": ("replay", "replay"),
    "erase": ("erase", "erase"),
    "backup": ("backup", "backup"),
    "restore": ("backup", "restore"),
    "new-handler": ("new_handler", "new_handler"),
    "try": ("trial", "try_handler"),
    "conform": ("conform", "conform"),
    "record": ("record", "record"),
    "unpack": ("unpack", "unpack"),
    "send": ("send", "send"),
    "man": ("man", "man"),
    "jobs": ("jobs", "jobs"),
    "outbox": ("outbox", "outbox"),
    "rules": ("rules", "rules"),
    "handlers": ("handlers", "handlers"),
}


class Commands(TyperGroup):
    """The program. Help, completion and the manual page see all commands; a call takes the one that is called."""

    def __init__(self, **settings: Any) -> None:
        """As typer makes a group."""
        super().__init__(**settings)
        self.commands = Shelf()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the parser's signature
        """The names, without a look at what they stand for."""
        return list(self.commands)


class Shelf(MutableMapping[str, Command]):
    """Name -> command, taken down when it is first wanted."""

    def __init__(self) -> None:
        self.taken: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self.taken:
            self.taken[name] = take(name, *SHELF[name])
        return self.taken[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self.taken[name] = command

    def __delitem__(self, name: str) -> None:
        del self.taken[name]

    def __iter__(self) -> Iterator[str]:
        return iter(SHELF)

    def __len__(self) -> int:
        return len(SHELF)


def take(name: str, module: str, what: str) -> Command:
    """The command as typer makes it, from a function or from an application of several commands."""
    found = getattr(import_module(f"watcher.cli.{module}"), what)
    around = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
    else:
        around.command(name)(found)
    return typer.main.get_group(around).commands[name]
