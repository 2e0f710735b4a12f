"""`imap-watcher send`: one mail, for people and scripts."""

import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from watcher.cli.settings import call, load_settings
from watcher.cli.terminal import say
from watcher.config.settings import Config
from watcher.config.smtp import Relay
from watcher.errors import WatcherError
from watcher.model import Address, Kind, identity
from watcher.outbox.compose import Letter, Stamp, compose, stamped
from watcher.outbox.enclosures import Enclosure, enclosure
from watcher.outbox.fields import normal
from watcher.outbox.parcel import Parcel
from watcher.outbox.postman import Postman
from watcher.outbox.ready import Ready, ready
from watcher.outbox.scribe import store
from watcher.outbox.send import Session
from watcher.outbox.talk import Talk
from watcher.posting import Posting
from watcher.retry import decide
from watcher.store.database import Database
from watcher.store.ledger import Ledger
from watcher.store.lock import hold_state
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

__all__ = ["send"]

NAMED = 5  #: recipients
Addresses = Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Recipient; may be given several times.")]


def send(
    context: typer.Context,
    to: Addresses = None,
    cc: Addresses = None,
    bcc: Addresses = None,
    subject: Annotated[str, typer.Option(help="Subject.")] = "",
    text: Annotated[str, typer.Option(help="Text of the mail.")] = "",
    html: Annotated[str, typer.Option(help="HTML text, beside or in place of --text.")] = "",
    attach: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="File to attach.")] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", "--through", metavar="NAME", help="Account or [smtp.NAME] to send through."),
    ] = None,
    trace: Annotated[
        bool,
        typer.Option(help="Send at once, past the outbox, and show the dialogue with the server, without secrets."),
    ] = False,
) -> None:
    """Send a mail: --text or --html, or one from standard input."""
    config = load_settings(context)
    relay = relay_of(config, account)
    stamp = stamped(uuid.uuid4().hex, sender_of(relay), instance(config.watcher.state))
    if text or html:
        given = built(relay, stamp, to or [], cc or [], bcc or [], subject, text, html, attach or [])
    else:
        given = ready(sys.stdin.buffer.read(), stamp)
    people = tuple(map(normal, (*(to or ()), *(cc or ()), *(bcc or ())))) or given.recipients
    if not people:
        raise WatcherError("nobody to send to: give --to ADDRESS")
    mail = Ready(given.data, given.sender or sender_of(relay).address, people, given.message_id)
    if trace:
        show_dialogue(relay, mail)
    else:
        with as_owner(config.watcher.state):
            put_out(config, relay, mail)


def instance(state: Path) -> str:
    """The name of the ledger, by which our mail is known; any word if there is none yet."""
    try:
        return (state / "instance").read_text("ascii").strip()
    except OSError:
        return "imap-watcher"


def relay_of(config: Config, name: str | None) -> Relay:
    """The way out that is meant: the one named, else the only one there is."""
    if name is None and len(config.accounts) == 1:
        name = config.accounts[0].name
    if name is None or name not in config.relays:
        known = ", ".join(config.relays)
        raise WatcherError(f"give --account NAME, one of {known}" if name is None else f"no {name}; known are {known}")
    return config.relays[name]


def sender_of(relay: Relay) -> Address:
    if relay.sender is None:
        raise WatcherError(f"[smtp.{relay.name}] has no `from`, and there is no account of that name")
    return relay.sender


def built(
    relay: Relay,
    stamp: Stamp,
    to: Sequence[str],
    cc: Sequence[str],
    bcc: Sequence[str],
    subject: str,
    text: str,
    html: str,
    attach: Sequence[Path],
) -> Ready:
    sender = sender_of(relay)
    letter = Letter(
        sender=sender,
        to=tuple(Address("", one) for one in to),
        cc=tuple(Address("", one) for one in cc),
        subject=subject,
        text=text and text + "\n",
        html=html,
        enclosures=tuple(attached(path) for path in attach),
    )
    people = tuple(map(normal, (*to, *cc, *bcc)))
    return Ready(compose(letter, stamp), normal(sender.address), people, stamp.message_id)


def attached(path: Path) -> Enclosure:
    """A file of the user, through any links."""
    real = path.resolve()
    return enclosure(real.parent, (real.name,), path.name)


def put_out(config: Config, relay: Relay, mail: Ready) -> None:
    """Into the outbox: the daemon sends it, or we, if none runs."""
    key = identity("letter", mail.message_id, uuid.uuid4())
    spool = Spool(config.watcher.state)
    digest, size = store(spool, key, [mail.data])
    posting = Posting(key, relay.name, "send", mail.sender, mail.recipients, mail.message_id, digest, size)
    request = {
        "verb": "post",
        "key": key,
        "relay": relay.name,
        "sender": mail.sender,
        "recipients": " ".join(mail.recipients),
        "message_id": mail.message_id,
    }
    try:
        call(config, request)
    except ConnectionError:
        work_off(config, spool, posting)
    else:
        say(f"in the outbox for {named(mail.recipients)}; see imap-watcher outbox list")


@contextmanager
def as_owner(state: Path) -> Iterator[None]:
    """Root writes in the state of another user as that one, or its daemon could not read it."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = state.stat()
    if os.geteuid() != 0 or found.st_uid == 0:
        yield
        return
    os.setegid(found.st_gid)
    os.seteuid(found.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def named(people: Sequence[str]) -> str:
    """A few of them by name."""
    more = len(people) - NAMED
    return ", ".join(people[:NAMED]) + (f" and {more} more" if more > 0 else "")


def work_off(config: Config, spool: Spool, posting: Posting) -> None:
    """Enter it and try once; what does not go at once waits for the daemon."""
    with hold_state(config.watcher.state):
        database = Database(config.watcher.state)
        try:
            failed = try_once(config, spool, posting, database)
        finally:
            database.close()
    if failed:
        raise WatcherError(failed)


def try_once(config: Config, spool: Spool, posting: Posting, database: Database) -> str:
    """What did not go, in words."""
    outgoing, ledger = Outgoing(database), Ledger(database, boot=uuid.uuid4().hex, machine="")
    outgoing.post(posting, time.time())
    postman = Postman(config.relays.get, outgoing, spool)
    works = ledger.claim_lot(Kind.SEND, time.time(), posting.relay, 1000)
    failed = ""
    for work, outcome in postman.act(works):
        now = time.time()
        decision = decide(outcome, work, postman.policy(work), now)
        ledger.finish(work, outcome, decision, now)
        if work.key == posting.key:
            say(f"{work.target}: {decision.status}" + (f": {decision.reason}" if decision.reason else ""))
            failed = failed or ("" if decision.status == "done" else f"not sent to {work.target}: {decision.reason}")
    postman.close()
    return failed


class Shown(Talk):
    """Each line as it comes."""

    def take(self, line: str) -> None:
        super().take(line)
        say(self.lines[-1])


def show_dialogue(relay: Relay, mail: Ready) -> None:
    """Send at once, in front of the user."""
    with TemporaryDirectory(prefix="imap-watcher-") as folder:
        file = Path(folder, "message.eml")
        file.write_bytes(mail.data)
        session = Session(relay, Shown())
        try:
            session.open()
            answers = session.deliver(Parcel(mail.sender, mail.recipients, file))
        finally:
            session.close()
    refused = {person: answer for person, answer in answers.items() if answer}
    for person, answer in refused.items():
        say(f"{person}: {answer}")
    if refused:
        raise WatcherError(f"not sent to {named(list(refused))}")
    say(f"sent to {named(list(answers))}")
