"""`imap-watcher man`: the manual page and the completions of shells, made from the commands themselves."""

from pathlib import Path
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined] # its own package names it so

from watcher.cli.man.page import manual
from watcher.cli.terminal import say
from watcher.errors import WatcherError

__all__ = ["man"]

#: Where a distribution looks for the completions of each shell, below share/.
COMPLETIONS = {
    "bash": "bash-completion/completions/imap-watcher",
    "zsh": "zsh/site-functions/_imap-watcher",
    "fish": "fish/vendor_completions.d/imap-watcher.fish",
}


def man(
    context: typer.Context,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write it and the completions for bash, zsh and fish below, as /usr/local/share."
        ),
    ] = None,
) -> None:
    """
    Print the manual page, or install it.

    To read it: `imap-watcher man | man -l -`.
    """
    page = manual(context.find_root())
    if to is None:
        print(page, end="")
        return
    files = {"man/man1/imap-watcher.1": page, **{path: script(shell) for shell, path in COMPLETIONS.items()}}
    for name, text in files.items():
        try:
            write(to / name, text)
        except OSError as error:
            raise WatcherError(f"{error.filename or to / name}: {error.strerror}") from error
        say(f"{to / name}")


def write(path: Path, text: str) -> None:
    """What everybody may read, though what commands write else is for their user only."""
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o755)
    path.write_text(text, "utf-8")
    path.chmod(0o644)


def script(shell: str) -> str:
    """What makes a shell ask us."""
    return get_completion_script(prog_name="imap-watcher", complete_var="_IMAP_WATCHER_COMPLETE", shell=shell) + "\n"
