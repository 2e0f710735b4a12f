"""Where the program of a handler is: a file in the handlers folder, a command of the machine, an entry point."""

import shutil
from collections.abc import Callable
from pathlib import Path

from watcher.config.entries import GROUP, EntryPoint, installed
from watcher.config.handlers import HandlerSettings
from watcher.config.shape import alternatives
from watcher.errors import HandlerMissing

__all__ = ["PATH", "find_program"]

#: Where the commands of handlers are looked for; a handler that needs more sets its own `env`.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(find_file: Callable[[str], Path], name: str, settings: HandlerSettings) -> Path | EntryPoint | None:
    """
    What runs for the handler `name`: its `command`; an entry point, also by its mere name when no file has that;
    nothing for a webhook; else what `find_file` knows. Raises HandlerMissing.
    """
    if settings.url:
        return None
    if settings.command:
        return _find_command(name, settings)
    if settings.entry_point:
        return _find_entry(name, settings.entry_point)
    try:
        return find_file(name)
    except HandlerMissing as error:
        if error.several or name not in installed():
            raise
        return installed()[name]


def _find_command(name: str, settings: HandlerSettings) -> Path:
    command = settings.command[0]
    path = settings.env.get("PATH", PATH)
    if "/" in command and not command.startswith("/"):
        raise HandlerMissing(f"the command {command!r} of handler {name} is neither a whole path nor a mere name")
    found = shutil.which(command, path=path)
    if found is None:
        where = "" if "/" in command else f", looked for in {path}"
        raise HandlerMissing(f"the command {command!r} of handler {name} is not there or not executable{where}")
    return Path(found)


def _find_entry(name: str, wanted: str) -> EntryPoint:
    known = installed()
    if wanted not in known:
        hint = alternatives(wanted, sorted(known)) if known else "none are installed"
        raise HandlerMissing(
            f"the entry point {wanted!r} of handler {name} is not in the group {GROUP} of any package "
            f"that is installed here; {hint}"
        )
    return known[wanted]
