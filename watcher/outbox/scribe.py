"""
What handlers ask for becomes letters, composed and durable. Nothing is sent here.

What is in the spool before the ledger knows of it is rubbish, and is swept away at the next start.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from watcher.config.handlers import HandlerSettings
from watcher.config.smtp import Relay
from watcher.mail.facts import from_json
from watcher.mail.raw import Raw
from watcher.model import Address, Work, identity
from watcher.outbox.compose import Letter, pieces, prove, stamped
from watcher.outbox.enclosures import LetterRefused
from watcher.outbox.fields import normal
from watcher.outbox.guard import answer_caps, answer_to, letter_caps, objection, own, trail
from watcher.outbox.letters import Original, forward, new_mail, recipients, reply
from watcher.posting import Cap, Posting
from watcher.store.spool import Spool
from watcher.wishes import Correspondence, Request, Sending

__all__ = ["Scribe", "Terms", "Us", "put", "store"]


@dataclass(frozen=True, slots=True)
class Us:
    """What a scribe needs to know of us. All but the last may change while the daemon runs."""

    relay: Callable[[str], Relay | None]  #: by name
    handler: Callable[[str], HandlerSettings]  #: by name
    addresses: Callable[[], frozenset[str]]  #: ours, in lower case
    instance: str  #: name of the ledger


class Scribe:
    """Safe to use from many threads."""

    def __init__(self, us: Us, spool: Spool) -> None:
        self.us = us
        self.spool = spool

    def write(self, work: Work, requests: Sequence[Request], roots: Sequence[Path]) -> Correspondence:
        """
        The mails that one run wants sent. Their files lie below `roots`; relative names begin at the first of them.

        Raises MailRefused for what this handler may not send or nobody can, SpoolFull, StorageFailed.
        """
        if not requests:
            return Correspondence()
        settings = self.us.handler(work.name)
        name = settings.smtp or work.place.account
        relay = self.us.relay(name)
        if relay is None or relay.sender is None:
            raise LetterRefused(f"there is no way to send: [smtp.{name}] is missing, or its `from`")
        folder = self.spool.folder(work.key)
        message = from_json(folder.facts.read_text("utf-8"))
        original = Original(message, folder, tuple(roots))
        written = [self.one(work, number, request, original, relay) for number, request in enumerate(requests)]
        return Correspondence(
            tuple(one for one in written if isinstance(one, Posting)),
            tuple(one for one in written if isinstance(one, str)),
        )

    def one(self, work: Work, number: int, request: Request, original: Original, relay: Relay) -> Posting | str:
        """A letter in the spool, or why there is none."""
        message, settings = original.message, self.us.handler(work.name)
        if reason := own(message, self.us.instance):
            return f"nothing sent: {reason}"
        sender = permitted_sender(request, settings, relay, work.name)
        match request.action:
            case Sending.REPLY:
                if reason := objection(message, self.us.addresses(), self.us.instance):
                    return f"not answered: {reason}"
                peer = answer_to(message)
                assert peer
                letter, answers = reply(request, original, sender, peer), peer.address.lower()
            case Sending.FORWARD:
                letter, answers = forward(request, original, sender), ""
            case Sending.SEND:
                letter, answers = new_mail(request, original, sender), ""
        letter = replace(letter, trail=trail(message))
        again = (work.id,) if work.replay else ()  # the letter of the first time may be on its way still
        people = tuple(recipients(request, letter))
        if request.action is not Sending.REPLY:
            check_recipients(people, settings, work.name)
        return put(
            self.spool,
            identity("letter", work.key, work.name, number, *again),
            letter,
            people,
            Terms(
                relay.name,
                work.name,
                self.us.instance,
                answers,
                answer_caps(settings.replies_per_sender) if answers else letter_caps(settings.mails_per_day),
            ),
        )


def permitted_sender(request: Request, settings: HandlerSettings, relay: Relay, handler: str) -> Address:
    """From. Raises LetterRefused if this handler may not write under that name."""
    assert relay.sender
    if not request.sender:
        return relay.sender
    allowed = {relay.sender.address.lower(), *map(str.lower, settings.send_as)}
    if request.sender.lower() not in allowed:
        raise LetterRefused(
            f"this handler may not send as {request.sender!a}; allow it with send_as in [handler.{handler}]"
        )
    return Address(relay.sender.name, request.sender)


def check_recipients(people: Sequence[str], settings: HandlerSettings, handler: str) -> None:
    """Raises LetterRefused if this handler may not write to one of them."""
    for person in people:
        if not any(pattern.fits(person) for pattern in settings.recipients):
            raise LetterRefused(
                f"this handler may not send to {person}; allow it with recipients in [handler.{handler}]"
            )


@dataclass(frozen=True, slots=True)
class Terms:
    """Through whom a letter goes, for whom, and under which caps."""

    relay: str
    author: str  #: the handler, or what else had it sent
    loop: str  #: for its loop field: the name of the ledger, and what it is if it is mail of our own
    answers: str = ""  #: address that it answers by itself
    caps: tuple[Cap, ...] = ()  #: beyond one of these it is not sent


def put(spool: Spool, key: str, letter: Letter, people: tuple[str, ...], terms: Terms) -> Posting:
    """Compose a letter and make it durable in the spool. Raises MailRefused, SpoolFull, StorageFailed."""
    stamp = stamped(key, letter.sender, terms.loop)

    def prove_file(file: Path) -> None:
        with file.open("rb") as mail, closing(Raw.of_file(mail.fileno())) as raw:
            prove(raw, letter, stamp)

    digest, size = store(spool, key, pieces(letter, stamp), prove_file)
    return Posting(
        key=key,
        relay=terms.relay,
        author=terms.author,
        sender=normal(letter.sender.address),
        recipients=people,
        message_id=stamp.message_id,
        digest=digest,
        size=size,
        answers=terms.answers,
        caps=terms.caps,
    )


def store(
    spool: Spool, key: str, mail: Iterable[bytes], prove_file: Callable[[Path], None] = lambda _: None
) -> tuple[str, int]:
    """
    A mail, in pieces, made durable once it is proven; the sha256 of its bytes in hex, and their number.

    Raises SpoolFull, StorageFailed, and what `prove_file` does.
    """
    draft = spool.draft(key)
    with ExitStack() as unless_durable:
        unless_durable.callback(draft.discard)
        for piece in mail:
            draft.write(piece)
        draft.finish()
        prove_file(draft.folder.raw)
        spool.settle([key])
        unless_durable.pop_all()
    return draft.whole.hexdigest(), draft.size
