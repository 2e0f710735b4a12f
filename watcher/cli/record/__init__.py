"""`imap-watcher record`: save mails of a mailbox as files, to try handlers on; nothing changes on the server."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.cli.completion import account_names
from watcher.cli.files import Placement
from watcher.cli.record.masking import masked
from watcher.cli.record.standins import Disguise
from watcher.cli.settings import account_named, load_settings
from watcher.cli.terminal import AsJson, complain, say, show_json
from watcher.config import Account
from watcher.errors import Unreadable, WatcherError
from watcher.imap.approach import credential_of, endpoint_of
from watcher.imap.link import Link, connect

__all__ = ["record"]

LARGEST = 64 << 20  # bytes of a mail that is saved


@dataclass(frozen=True, slots=True)
class Recorded:
    """One mail. What `record --json` tells, a list of."""

    uid: int
    file: str | None  #: None if it could not be saved
    size: int  #: bytes of the file
    problem: str = ""


def record(
    context: typer.Context,
    account: Annotated[
        str, typer.Argument(help="NAME of an account.", metavar="ACCOUNT", autocompletion=account_names)
    ],
    folder: Annotated[str, typer.Option(help="To look into; else the first that is watched.")] = "",
    query: Annotated[
        str, typer.Option(help="IMAP search keys, as 'FROM ann SINCE 1-Nov-2026'.", metavar="KEYS")
    ] = "ALL",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the latest.")] = 10,
    to: Annotated[Path, typer.Option(help="Directory for the files.", metavar="DIR")] = Path("recorded"),
    mask: Annotated[bool, typer.Option("--mask", help="Put stand-ins for what is private.")] = False,
    keep_attachments: Annotated[
        bool, typer.Option("--keep-attachments", help="With --mask: leave attached files as they are.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """
    Save mails as .eml files, to try handlers on.

    Only you can read the files. The folder is opened for reading only (EXAMINE, BODY.PEEK): nothing is marked as read.

    --mask replaces names, addresses, links, long numbers and keys in headers and texts by stand-ins of the same shape,
    the same for the same throughout one recording, and attached files by filler of the same size. A name that stands in
    no header is not known to be one: read the files before you hand them on.

    Examples: imap-watcher record support --limit 3; imap-watcher record support --query 'FROM "supplier"' --mask
    """
    chosen = account_named(load_settings(context), account)
    disguise = Disguise(secrets.token_bytes(32)) if mask else None
    with opened(chosen) as link:
        link.examine(folder or chosen.folders[0])
        uids = link.search_for(query)[-limit:]
        done = [saved(link, uid, to, disguise, keep_attachments=keep_attachments) for uid in uids]
    if as_json:
        show_json(done)
    for one in done:
        if one.problem:
            complain(f"UID {one.uid}: {one.problem}")
        elif not as_json:
            say(f"{one.file}  {one.size} bytes")
    if not done:
        complain("no mail fits")
    if any(one.problem for one in done):
        raise typer.Exit(exits.FAILED)


@contextmanager
def opened(account: Account) -> Iterator[Link]:
    """A link of the account. Raises what `connect` does, and SecretUnavailable."""
    link = connect(endpoint_of(account), credential_of(account, account.secret.fetch()), account.profile)
    try:
        yield link
    finally:
        link.logout()


def saved(link: Link, uid: int, to: Path, disguise: Disguise | None, *, keep_attachments: bool) -> Recorded:
    """Fetch one mail and write it down, whole or not at all. Raises MailboxLost."""
    raw = link.whole(uid, LARGEST)
    path = to / f"{uid}.eml"
    if raw is None:
        return Recorded(uid, None, 0, "it is gone, or the server does not give it")
    try:
        raw = masked(raw, disguise, keep_attachments=keep_attachments) if disguise else raw
        with Placement() as placement:
            placement.create_bytes(path.absolute(), raw, 0o600)
            placement.keep()
    except (Unreadable, WatcherError) as error:
        return Recorded(uid, None, 0, str(error))
    return Recorded(uid, str(path), len(raw))
