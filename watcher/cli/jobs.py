"""`imap-watcher jobs`: look at the work, bring dead letters back, drop what is not wanted."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from watcher.cli.completion import account_names, handler_names
from watcher.cli.settings import ask_state, load_settings
from watcher.cli.terminal import AsJson, say, show_json
from watcher.config import Config
from watcher.model import Kind, Status
from watcher.service.counter import LARGEST
from watcher.store.desk import Filter

__all__ = ["Job", "Jobs", "change", "clock", "find_work", "jobs", "show_history", "tell_of_more"]

jobs = typer.Typer(
    help="Look after the work of the daemon. `jobs list --status dead` shows the dead letters.",
    epilog="Examples: imap-watcher jobs list --status dead; imap-watcher jobs show 17; imap-watcher jobs retry 17 18",
    no_args_is_help=True,
)
Job = Annotated[int, typer.Argument(min=1, max=LARGEST, help="Number as in `list`.", metavar="JOB")]
Jobs = Annotated[list[int], typer.Argument(min=1, max=LARGEST, help="Numbers as in `list`.", metavar="JOB...")]


@jobs.command("list")
def list_jobs(
    context: typer.Context,
    status: Annotated[Status | None, typer.Option(help="Only work in this state.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only work of this kind.")] = None,
    account: Annotated[
        str | None, typer.Option(help="Only mail of this account.", autocompletion=account_names)
    ] = None,
    handler: Annotated[
        str | None, typer.Option(help="Only work of this handler.", autocompletion=handler_names)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the latest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List pieces of work, the latest change first."""
    wanted = Filter(status=status, kind=kind, account=account, handler=handler, limit=limit)
    entries = find_work(load_settings(context), wanted)
    if as_json:
        show_json(entries)
        return
    for entry in entries:
        what = " ".join(part for part in (entry["kind"], entry["name"], entry["target"]) if part)
        where = f"{entry['account']}/{entry['folder']} UID {entry['uid']}"
        reason = f": {entry['reason']}" if entry["reason"] else ""
        say(f"{entry['id']:>7}  {entry['status']:<8} {what:<28} {where}, attempt {entry['attempts']}{reason}")
    tell_of_more(entries, limit)


@jobs.command()
def show(context: typer.Context, number: Job, as_json: AsJson = False) -> None:
    """Show one piece of work: its mail, its history, what it printed."""
    config = load_settings(context)
    entry = ask_state(config, {"verb": "job", "number": number})
    if as_json:
        show_json(entry)
        return
    say(f"job {entry['id']}: {entry['kind']} {entry['name']} {entry['target']}".rstrip())
    where = f"{entry['account']}/{entry['folder']} UID {entry['uid']}"
    say(f"  mail      {where}, {entry['size']} bytes, {clock(entry['received'])}")
    kept = config.watcher.state / "spool" / entry["key"]
    say(f"  folder    {kept if entry['spooled'] else 'no longer kept'}")
    say(f"  status    {entry['status']}{': ' + entry['reason'] if entry['reason'] else ''}")
    if entry["status"] == Status.WAITING:
        say(f"  due       {clock(entry['due']) if entry['due'] else 'when its turn comes'}")
    show_history(entry)
    if entry["output"]:
        say("  output of the last attempt:")
        print("\n".join(f"    {line}" for line in entry["output"].splitlines()))  # made printable when it was taken


@jobs.command()
def retry(context: typer.Context, numbers: Jobs) -> None:
    """Bring dead work back, as if it had never been tried; or have work that waits for a time tried now."""
    change(context, "retry", numbers, "waits for its next run")


@jobs.command()
def drop(context: typer.Context, numbers: Jobs) -> None:
    """Give up waiting or dead work for good. The mail stays on the server as it is."""
    change(context, "drop", numbers, "is dropped")


def change(context: typer.Context, verb: str, numbers: list[int], words: str) -> None:
    """Have each of these jobs changed, and say in `words` what came of it. Raises WatcherError at the first refusal."""
    config = load_settings(context)
    for number in numbers:
        entry: Any = ask_state(config, {"verb": verb, "number": number})
        say(f"job {entry['id']} ({entry['kind']} {entry['name']}) {words}")


def find_work(config: Config, wanted: Filter) -> Any:
    """The entries that pass, the latest change first, as the daemon tells them."""
    return ask_state(config, {"verb": "jobs", **asdict(wanted)})


def tell_of_more(entries: Sequence[object], limit: int) -> None:
    """Whether a list may have been cut off."""
    if len(entries) == limit:
        say(f"(the latest {limit}; --limit shows more)")


def show_history(entry: Mapping[str, Any]) -> None:
    """A line for each change of its status."""
    for move in entry["history"]:
        say(f"  {clock(move['at'])}  attempt {move['attempt']}  {move['status']}  {move['reason']}".rstrip())


def clock(at: float) -> str:
    """Seconds since 1970 in the time of this machine."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
