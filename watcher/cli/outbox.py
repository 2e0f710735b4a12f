"""`imap-watcher outbox`: mail on its way out."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from watcher.cli.jobs import Job, Jobs, change, clock, find_work, show_history, tell_of_more
from watcher.cli.settings import ask_state, load_settings
from watcher.cli.terminal import AsJson, say, show_json
from watcher.errors import WatcherError
from watcher.model import Kind, Status
from watcher.store.desk import Filter

__all__ = ["outbox"]

outbox = typer.Typer(
    help="Look after the mail that goes out. `outbox list --status dead` shows what was given up.",
    epilog="Examples: imap-watcher outbox list --status dead; imap-watcher outbox show 17",
    no_args_is_help=True,
)

WORDS = {Status.WAITING: "queued", Status.RUNNING: "sending", Status.DONE: "sent"}


def state(entry: Mapping[str, Any]) -> str:
    """One word for where it is; ambiguous: nobody knows whether the relay took it, and it goes once more."""
    if entry["status"] == Status.WAITING and entry["crashes"]:
        return "ambiguous"
    return WORDS.get(entry["status"], str(entry["status"]))


@outbox.command("list")
def list_letters(
    context: typer.Context,
    status: Annotated[Status | None, typer.Option(help="Only mail in this state of work.")] = None,
    relay: Annotated[str | None, typer.Option(help="Only mail through this account or [smtp.NAME].")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the latest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List recipients of outgoing mail, the latest change first."""
    entries = find_work(load_settings(context), Filter(status=status, kind=Kind.SEND, account=relay, limit=limit))
    if as_json:
        show_json([{**entry, "state": state(entry)} for entry in entries])
        return
    for entry in entries:
        reason = f": {entry['reason']}" if entry["reason"] else ""
        way = f"to {entry['target']} through {entry['account']}"
        say(f"{entry['id']:>7}  {state(entry):<9} {way}, by {entry['name']}, attempt {entry['attempts']}{reason}")
    tell_of_more(entries, limit)


@outbox.command()
def show(context: typer.Context, number: Job, as_json: AsJson = False) -> None:
    """Show one recipient's mail: its history, and the dialogue with the server when it last failed."""
    config = load_settings(context)
    entry = ask_state(config, {"verb": "job", "number": number})
    if entry["kind"] != Kind.SEND:
        raise WatcherError(f"job {number} is not an outgoing mail: see imap-watcher jobs show {number}")
    if as_json:
        show_json({**entry, "state": state(entry)})
        return
    say(f"mail {entry['id']} to {entry['target']} through {entry['account']}, by {entry['name']}")
    say(f"  id        {entry['message_id']}, {entry['size']} bytes")
    kept = config.watcher.state / "spool" / entry["key"] / "message.eml"
    say(f"  file      {kept if entry['spooled'] else 'no longer kept'}")
    say(f"  state     {state(entry)}{': ' + entry['reason'] if entry['reason'] else ''}")
    if entry["due"]:
        say(f"  due       {clock(entry['due'])}")
    show_history(entry)
    if entry["output"]:
        say("  dialogue of the last attempt, without secrets:")
        for line in entry["output"].splitlines():
            say(f"    {line}")


@outbox.command()
def retry(context: typer.Context, numbers: Jobs) -> None:
    """Bring mail back that was given up, as if it had never been tried."""
    change(context, "retry", numbers, "goes out again")


@outbox.command()
def drop(context: typer.Context, numbers: Jobs) -> None:
    """Give up waiting or dead mail for good."""
    change(context, "drop", numbers, "is dropped")
