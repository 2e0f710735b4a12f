"""`imap-watcher erase`: forget mails, for good."""

import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from watcher.cli.asking import Person
from watcher.cli.completion import account_names
from watcher.cli.settings import ask_state, load_settings
from watcher.cli.terminal import AsJson, progress, say, show_json
from watcher.config.settings import Config
from watcher.errors import WatcherError
from watcher.limits import USUAL
from watcher.mail.addresses import lenient_addresses
from watcher.mail.defects import Defects
from watcher.mail.header import read_header
from watcher.mail.raw import Raw
from watcher.model import MailFolder
from watcher.service.erasing import spellings

__all__ = ["erase"]

PATIENCE = 3600.0  #: seconds: a ledger of many gigabytes is written anew
BUSY = 120.0  #: seconds that jobs on these mails are waited for
PACE = 0.5  #: seconds between two questions whether they have ended
SENDERS = frozenset({"from", "sender", "reply-to"})  #: fields by which a mail is somebody's (RFC 5322 3.6.2)
PIECE = 1 << 20  #: bytes of a file that are looked at together
LONGEST = 1000  #: bytes of an address or a Message-ID (RFC 5322 2.1.1)
MANY = 1000  #: mails from which on the search is shown


def erase(
    context: typer.Context,
    sender: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Mails from this address, and letters of ours to it.")
    ] = "",
    message_id: Annotated[str, typer.Option(metavar="ID", help="The mail with this Message-ID.")] = "",
    account: Annotated[str, typer.Option(help="Only in this account.", autocompletion=account_names)] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Erase mails from the state of the daemon, for good.

    Their files, their jobs and what these printed, the letters that came of them, and every byte of it in the files of
    the ledger. What waits on them is given up; what runs is waited for.

    That they were handled stays known, by place, time, size and checksum, so that none is fetched again. Mails on the
    server, what handlers have kept, the journal and backups are not touched.
    """
    if bool(sender) == bool(message_id):
        raise typer.BadParameter("say one of --sender and --message-id")
    config = load_settings(context)
    people = spellings(sender)
    target = {"address": sender, "message_id": bracketed(message_id), "account": account}
    if sender:
        target["keys"] = " ".join(keys_from(people, config.watcher.state / "spool"))
    traces = ask_state(config, {"verb": "traces", **target})
    for trace in () if as_json else traces:
        say(line_of(trace))
    erased = 0
    if not dry_run:
        if not Person(agrees=yes or not traces).confirm(f"Erase {len(traces)} mails for good?"):
            raise WatcherError("nothing was erased")
        erased = erase_when_idle(config, target)
    kept = [] if dry_run else holding(config.watcher.state, people or {message_id.strip("<>")})
    if as_json:
        show_json({"found": traces, "erased": erased, "mentioned_in": list(map(str, kept))})
        return
    for path in kept:
        say(f"still mentioned in {path}")
    say(f"{len(traces)} found, {f'{erased} erased' if erased else 'nothing was changed'}")


def bracketed(message_id: str) -> str:
    """As the ledger has it: shells and people lose the brackets."""
    return f"<{message_id.strip('<>')}>" if message_id else ""


def erase_when_idle(config: Config, target: Mapping[str, str]) -> int:
    """How many mails are gone, once no job works on any of them. Raises WatcherError."""
    until, pause = time.monotonic() + BUSY, threading.Event()
    while busy := (told := ask_state(config, {"verb": "erase", **target}, PATIENCE))["busy"]:
        jobs = ", ".join(map(str, busy))
        if time.monotonic() > until:
            raise WatcherError(f"nothing was erased: job {jobs} still works on it; see imap-watcher jobs show")
        pause.wait(PACE)
    return int(told["erased"])


def keys_from(people: set[str], spool: Path) -> list[str]:
    """The names of the mail folders whose mail says that it is from one of these addresses."""
    try:
        folders = [MailFolder(path) for path in spool.iterdir()]
    except OSError as error:
        raise WatcherError(f"{spool}: {error.strerror}; run this as the user of the daemon, or as root") from error
    with progress(folders, len(folders), worth=MANY, label="looking") as looked_at:
        return [folder.path.name for folder in looked_at if people & senders(folder)]


def senders(folder: MailFolder) -> set[str]:
    """Addresses that a mail claims to be from, or wants answers at, in lower case; none if it is gone meanwhile."""
    try:
        with folder.raw.open("rb") as file:
            raw = Raw.of_file(file.fileno())
    except (FileNotFoundError, NotADirectoryError):
        return set()
    header, _ = read_header(raw, 0, raw.size, USUAL, Defects(USUAL.defects))
    values = [field.value for field in header.fields if field.name.lower() in SENDERS]
    return {person.address.lower() for value in values for person in lenient_addresses(value, None)}


def holding(directory: Path, words: set[str]) -> list[Path]:
    """The files in which one of them stands as it is: mails of others that quote it, and what handlers keep."""
    pattern = re.compile(b"|".join(re.escape(word.encode()) for word in words), re.IGNORECASE)
    found = []
    for path in sorted(directory.rglob("*")):
        with suppress(OSError):  # it is gone, or belongs to a user that handlers run as
            if not path.is_symlink() and path.is_file() and holds(path, pattern):
                found.append(path)
    return found


def holds(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Whether it stands in a file, which may be large."""
    with path.open("rb") as file:
        before = b""
        while piece := file.read(PIECE):
            if pattern.search(before + piece):
                return True
            before = piece[-LONGEST:]
    return False


def line_of(trace: Mapping[str, Any]) -> str:
    """One mail that is meant."""
    received = datetime.fromtimestamp(trace["received"], UTC).isoformat(timespec="seconds")
    what = "letter" if trace["letter"] else "mail"
    return f"{what} {trace['account']}/{trace['folder']} UID {trace['uid']}, {received}, {trace['jobs']} jobs"
