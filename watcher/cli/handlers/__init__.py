"""`imap-watcher handlers`: those that come with it, to be looked at and put into use."""

from dataclasses import dataclass
from typing import Annotated

import typer

from watcher.cli.files import Placement
from watcher.cli.handlers.shipped import Shipped, find_shipped, shipped
from watcher.cli.terminal import AsJson, say, show_json
from watcher.cli.workshop import Workshop, mode_of, open_workshop, taken_by
from watcher.errors import WatcherError

__all__ = ["handlers"]

handlers = typer.Typer(
    help="Handlers that are ready to use. `handlers add NAME` puts one into the handlers folder.",
    epilog="Examples: imap-watcher handlers list; imap-watcher handlers show webhook; ... handlers add webhook",
    no_args_is_help=True,
)


def names(incomplete: str) -> list[str]:
    """What the shell offers."""
    try:
        return [one.name for one in shipped() if one.name.startswith(incomplete)]
    except WatcherError:
        return []


Name = Annotated[str, typer.Argument(help="As in `handlers list`.", metavar="NAME", autocompletion=names)]


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `handlers list --json`."""

    name: str
    about: str
    installed: bool  #: a handler of this name is in the handlers folder


@dataclass(frozen=True, slots=True)
class Added:
    """What `handlers add --json` tells."""

    name: str
    file: str
    example: str  #: to be fitted, and added to the configuration
    config: str  #: file of the configuration


@handlers.command("list")
def list_shipped(context: typer.Context, as_json: AsJson = False) -> None:
    """List what there is. A star marks those that are in the handlers folder."""
    workshop = open_workshop(context)
    listed = [Listed(one.name, one.about, bool(taken_by(workshop.handlers, one.name))) for one in shipped()]
    if as_json:
        show_json(listed)
        return
    width = max(len(one.name) for one in listed)
    for one in listed:
        say(f"{'*' if one.installed else ' '} {one.name:<{width}}  {one.about.partition('. ')[0].rstrip('.')}")


@handlers.command()
def show(name: Name) -> None:
    """Show what a handler does, its settings and an example."""
    one = find_shipped(name)
    print(f"{one.name}: {one.head}\n\nAn example:\n\n{_indented(one.example)}\nThe file: {one.path}")


@handlers.command()
def add(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Copy a handler into the handlers folder, to be used as it is or changed. Nothing is overwritten."""
    workshop, one = open_workshop(context), find_shipped(name)
    for there in taken_by(workshop.handlers, name):
        raise WatcherError(f"{there} is there already, and stays as it is")
    path = workshop.handlers / one.path.name
    with Placement() as placement:
        placement.create(path, one.text, mode_of(one.text))
        placement.keep()
    if as_json:
        show_json(Added(name, str(path), one.example, str(workshop.path)))
        return
    _tell(workshop, one)


def _tell(workshop: Workshop, one: Shipped) -> None:
    say(f"Written: {workshop.handlers / one.path.name}")
    print(f"\nTo be fitted, and added to {workshop.path}:\n\n{_indented(one.example)}")
    print(f"Then:\n    {workshop.program} check\n    {workshop.program} try {one.name}")


def _indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))
