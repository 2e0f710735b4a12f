"""The live table of `status --watch`: what matters most of any number of folders, on a terminal of any size."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from watcher.cli.wording import age, counted, name_of, troubles
from watcher.printing import printable

__all__ = ["screen"]

#: Styles of states; folders in one of these come first, the worst on top.
STYLES = {"refused": "bold red", "waiting": "red", "connecting": "yellow", "held": "yellow", "paused": "blue"}
STATE, MAILS, AGE = 11, 8, 8  #: columns that these take
NAME = (20, 50)  #: columns that the name of a folder takes, at least and at most
WIDE = 120  #: columns from which on what is wrong with a folder stands beside it, not below
TALL = 20  #: lines from which on there are empty ones
LONGEST = 300  #: characters of a line that are looked at


def screen(told: Mapping[str, Any], width: int, height: int) -> Group:
    """What fits: what is wrong first, then the folders that had mail; the rest is counted."""
    folders = sorted(told["folders"], key=weight)
    gap = [""] if height >= TALL else []
    work = [f"{kind}: {counted(states)}" for kind, states in told["work"].items()]
    head = [Text(f"{len(folders)} folders: {states_of(folders)}", "bold"), *map(Text, gap), *wrong(told, height // 3)]
    foot = [*map(Text, [*gap, *(work if height >= TALL else ["; ".join(work)])]), Text("Ctrl-C ends this", "dim")]
    columns = min(NAME[1], max(NAME[0], width - STATE - MAILS - 2 * AGE - 4))
    columns = min(columns, max((cell_len(name_of(folder)) for folder in folders), default=0))
    head.append(Text(row("folder", "state", "heard", "mails", "newest", columns)))
    table = fitting([rows(folder, columns, width) for folder in folders], height - len(head) - len(foot))
    if rest := folders[len(table) :]:
        foot.insert(0, Text(f"and {len(rest)} more: {states_of(rest)}", "dim"))
    lines = [*head, *(line for lines in table for line in lines), *foot]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Group(*lines[:height])


def fitting(entries: Sequence[list[Text]], room: int) -> Sequence[list[Text]]:
    """As many of them, from the first on, as there are lines for; one line is for the count of the others."""
    used = 0
    for number, lines in enumerate(entries):
        used += len(lines)
        if used > room - (number < len(entries) - 1):
            return entries[:number]
    return entries


def wrong(told: Mapping[str, Any], most: int) -> Iterator[Text]:
    """What concerns more than one folder, in a line each."""
    lines = [printable(line, LONGEST) for line in troubles(told)]
    shown = (
        lines
        if len(lines) <= most
        else [*lines[: most - 1], f"and {len(lines) - most + 1} more; see imap-watcher status"]
    )
    yield from (Text(line, "red") for line in shown)


def rows(folder: Mapping[str, Any], columns: int, width: int) -> list[Text]:
    """One folder; what is wrong with it may need a line of its own. Of an age its figure is enough."""
    silent, seconds, newest = folder.get("silence"), folder["age"]["heard"], folder.get("newest")
    heard = "never" if seconds is None else age(seconds)
    mails = f"{folder['mails']}" + (f"+{folder['left_out']}" if folder["left_out"] else "")
    state, name = folder["state"], printable(name_of(folder), LONGEST)
    line = Text(row(name, state, heard, mails, age(newest["age"]) if newest else "", columns))
    line.stylize("red" if silent else STYLES.get(state, "green"), columns + 1, columns + 1 + STATE)
    trouble = Text(printable(silent or folder["trouble"], LONGEST), "red" if silent else "")
    if not trouble or width >= WIDE:
        return [line.append("  ").append(trouble) if trouble else line]
    return [line, Text("    ").append(trouble)]


def row(name: str, state: str, heard: str, mails: str, newest: str, columns: int) -> str:
    short = name if cell_len(name) <= columns else set_cell_size(name, columns - 1) + "…"
    return f"{set_cell_size(short, columns)} {state:<{STATE}}{heard:>{AGE}}{mails:>{MAILS}}{newest:>{AGE}}"


def weight(folder: Mapping[str, Any]) -> tuple[int, int]:
    """Silent ones first, then by state, then by mails."""
    order = list(STYLES)
    calm = -1 if folder.get("silence") else len(order)
    return order.index(folder["state"]) if folder["state"] in order else calm, -folder["mails"]


def states_of(folders: Sequence[Mapping[str, Any]]) -> str:
    return counted(Counter(folder["state"] for folder in folders))
