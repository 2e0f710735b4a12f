"""`imap-watcher replay`: put mails through their handlers once more."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import typer

from watcher.cli import exits
from watcher.cli.asking import Person
from watcher.cli.completion import account_names, handler_names
from watcher.cli.jobs import find_work
from watcher.cli.settings import ask_state, load_settings
from watcher.cli.terminal import AsJson, complain, say, show_json
from watcher.config import Config
from watcher.config.units import parse_duration
from watcher.errors import WatcherError
from watcher.model import Kind, MailFolder
from watcher.store.desk import Filter

__all__ = ["replay"]

MANY = 20  #: from more than these on a person is asked
MOST = 10_000  #: that the daemon is asked for at once


class State(StrEnum):
    """How the work ended that is to be done once more."""

    DEAD = "dead"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Query:
    """Which work is meant. An empty field lets all pass."""

    state: State
    handler: str
    account: str
    since: float  #: seconds since 1970; the mail was received later
    sender: str  #: glob on the address
    subject: str  #: glob


@dataclass(frozen=True, slots=True)
class Piece:
    """One handler's work on one mail. What `replay --json` tells, a list of."""

    job: int
    handler: str
    account: str
    folder: str
    uid: int
    received: str
    sender: str
    subject: str
    reason: str  #: why it is dead
    replayed: bool = False
    refused: str = ""  #: why it could not be


def replay(
    context: typer.Context,
    status: Annotated[State, typer.Option(help="How it ended.")] = State.DEAD,
    handler: Annotated[str, typer.Option(help="Only of this handler.", autocompletion=handler_names)] = "",
    account: Annotated[str, typer.Option(help="Only mail of this account.", autocompletion=account_names)] = "",
    since: Annotated[str, typer.Option(help="Only mail received so lately (2d, 6h) or since a day.")] = "",
    sender: Annotated[str, typer.Option("--from", help="Only of this address; * stands for any part.")] = "",
    subject: Annotated[str, typer.Option(help="Only of this subject; * stands for any part.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Yes, once more what is done (--status done).")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=f"Don't ask where there are more than {MANY}.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Run handlers again on mails that the daemon keeps.

    On dead letters, or with --status done --again on those that went well. The handler finds the same WATCHER_KEY as
    before; after a success also WATCHER_REPLAY=1, so that one which keeps to its key can tell that it is wanted once
    more.

    Examples: imap-watcher replay --dry-run; imap-watcher replay --handler book --since 2d; imap-watcher replay --status
    done --again --handler book --from '*@supplier.example'
    """
    if status is State.DONE and not (again or dry_run):
        raise typer.BadParameter("what is done is done once more only with --again")
    config = load_settings(context)
    query = Query(status, handler, account, since_when(since, time.time()), sender.lower(), subject.lower())
    pieces = find_pieces(config, query)
    if not dry_run:
        if len(pieces) > MANY and not Person(agrees=yes).confirm(f"Run {len(pieces)} handlers again?"):
            raise WatcherError("nothing was done")
        pieces = [carry_out(config, query.state, piece) for piece in pieces]
    show(pieces, as_json=as_json)
    if any(piece.refused for piece in pieces):
        raise typer.Exit(exits.FAILED)


def since_when(text: str, now: float) -> float:
    """The time meant by a duration before `now`, or a day in UTC. Raises BadParameter."""
    if not text:
        return 0.0
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()
    try:
        return now - parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--since {text}: is not a time; allowed are 6h, 2d or 2026-11-20") from error


def find_pieces(config: Config, query: Query) -> list[Piece]:
    """The work that fits, the oldest first. Raises WatcherError."""
    handler, account = query.handler or None, query.account or None
    wanted = Filter(status=query.state, kind=Kind.JOB, handler=handler, account=account, limit=MOST)
    entries = find_work(config, wanted)
    if len(entries) == MOST:
        complain(f"only the latest {MOST} were looked at; ask for fewer, by --handler or --account")
    latest = {(entry["key"], entry["name"]): entry for entry in reversed(entries) if entry["received"] >= query.since}
    kept = [entry for entry in latest.values() if entry["spooled"]]
    pieces = [described(config.watcher.state, entry) for entry in sorted(kept, key=lambda entry: entry["received"])]
    return [piece for piece in pieces if fits(piece, query)]


def described(state: Path, entry: dict[str, Any]) -> Piece:
    """With what stands in its mail, as far as that can be read."""
    folder = MailFolder(state / "spool" / entry["key"])
    try:
        facts = json.loads(folder.facts.read_bytes())
    except (OSError, ValueError, RecursionError):
        facts = None
    match facts:  # a handler may have spoilt it
        case {"from": [{"address": str(sender)}, *_], "subject": str(subject)}:
            pass
        case {"subject": str(subject)}:
            sender = ""
        case _:
            sender = subject = ""
    return Piece(
        entry["id"],
        entry["name"],
        entry["account"],
        entry["folder"],
        entry["uid"],
        datetime.fromtimestamp(entry["received"], UTC).isoformat(timespec="seconds"),
        sender,
        subject,
        entry["reason"],
    )


def fits(piece: Piece, query: Query) -> bool:
    """Sender and subject, in any case."""
    return fnmatchcase(piece.sender.lower(), query.sender or "*") and fnmatchcase(
        piece.subject.lower(), query.subject or "*"
    )


def carry_out(config: Config, state: State, piece: Piece) -> Piece:
    """Ask the daemon for it; what came of that."""
    told = asdict(piece)
    try:
        ask_state(config, {"verb": "retry" if state is State.DEAD else "again", "number": piece.job})
    except WatcherError as error:
        return Piece(**{**told, "refused": str(error)})
    return Piece(**{**told, "replayed": True})


def show(pieces: list[Piece], *, as_json: bool) -> None:
    if as_json:
        show_json(pieces)
        return
    for piece in pieces:
        where = f"{piece.account}/{piece.folder} UID {piece.uid}"
        say(f"{piece.job:>7}  {piece.handler:<20} {where}, {piece.received}: {piece.subject!r} from {piece.sender}")
        if piece.refused:
            complain(piece.refused)
    done = sum(piece.replayed for piece in pieces)
    say(f"{len(pieces)} found, {done} to be run again" if done else f"{len(pieces)} found, nothing was changed")
