"""The full circle: a mail goes out through the relay and is seen again where the account is watched."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from watcher.cli.doctor.findings import Finding, Mark
from watcher.cli.doctor.sending import told, trial_session
from watcher.cli.doctor.testmail import wait
from watcher.config.accounts import Account
from watcher.config.smtp import Relay
from watcher.errors import ActionRefused, MailRefused
from watcher.imap.answers import Summary
from watcher.imap.probe import Probe, Trial
from watcher.model import Address
from watcher.outbox.compose import Letter, compose, stamped
from watcher.outbox.fields import normal
from watcher.outbox.parcel import Parcel

__all__ = ["ROUND", "Circle", "Handled"]

LOOK = 0.5  #: seconds between two questions
ROUND = 180.0  #: seconds for each leg; a relay may let a mail wait for a while

#: What the daemon has done with the mail of a Message-ID, in words: "" nothing yet, None: no daemon runs.
Handled = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Circle:
    """One trial."""

    account: Account
    relay: Relay
    instance: str  #: name of the ledger: nobody answers a mail that bears it
    handled: Handled
    timeout: float  #: seconds for each step
    round: float = ROUND

    def legs(self) -> Iterator[Finding]:
        """Each leg with its time. The mail is removed in the end."""
        yield from told("circle", self._legs)

    def _legs(self) -> Iterator[Finding]:
        folder = self.account.folders[0]
        probe = Probe(self.account, self.timeout)
        try:
            link = probe.link(self.account.secret.fetch())
            link.examine(folder)
            began = time.monotonic()
            message_id = self._send()
            sent = time.monotonic()
            yield Finding(
                "sent", Mark.WELL, f"{self.relay.host} has taken a mail to {self.account.address}", sent - began
            )
            found = self._arrived(link, message_id, sent + self.round)
            arrived = time.monotonic()
            if not found:
                text = f"not in {folder} within {self.round:.0f} s: look into the spam folder, and at the relay's log"
                yield Finding("arrived", Mark.FAILED, text, arrived - sent)
                return
            how = "told by IDLE" if link.can_idle else "found by asking"
            yield Finding("arrived", Mark.WELL, f"in {folder}, {how}", arrived - sent)
            yield self._at_handler(message_id, arrived)
            yield from self._removed(link, folder, found)
        finally:
            probe.close()

    def _send(self) -> str:
        """Raises what `Session.deliver` does; the Message-ID."""
        sender = self.relay.sender or Address("", self.account.address)
        stamp = stamped(uuid.uuid4().hex, sender, self.instance)
        letter = Letter(
            sender=sender,
            to=(Address("", self.account.address),),
            subject="imap-watcher doctor looks whether mail comes round",
            text="This mail can be deleted.\n",
            automatic="auto-generated",
        )
        with TemporaryDirectory(prefix="imap-watcher-") as directory:
            file = Path(directory, "message.eml")
            file.write_bytes(compose(letter, stamp))
            session = trial_session(self.relay, self.timeout)
            try:
                session.open()
                parcel = Parcel(normal(sender.address), (normal(self.account.address),), file)
                refused = [answer for answer in session.deliver(parcel).values() if answer]
            finally:
                session.close()
        if refused:
            raise MailRefused(str(refused[0]))
        return stamp.message_id

    def _arrived(self, link: Trial, message_id: str, end: float) -> list[Summary]:
        """What the folder has under this id, as soon as the server tells of it; nothing at `end`."""
        while True:
            link.clear_news()  # first, so that what comes meanwhile is news again
            found = among(link, message_id)
            if found or time.monotonic() >= end:
                return found
            if link.can_idle:
                link.start_idle()
                wait(link, link.hear, max(0.0, end - time.monotonic()))
                link.end_idle()
                wait(link, link.idle_ended, self.timeout)
            else:
                wait(link, lambda: False, LOOK)
                link.noop()

    def _at_handler(self, message_id: str, arrived: float) -> Finding:
        pause = threading.Event()
        while (words := self.handled(message_id)) == "" and time.monotonic() < arrived + self.round:
            pause.wait(LOOK)
        took = time.monotonic() - arrived
        if words is None:
            return Finding("handled", Mark.DOUBT, "no daemon runs here, so no handler was seen to get it")
        if not words:
            return Finding("handled", Mark.FAILED, "the daemon has not handled it: see imap-watcher status", took)
        return Finding("handled", Mark.WELL, words, took)

    def _removed(self, link: Trial, folder: str, found: list[Summary]) -> Iterator[Finding]:
        try:
            link.select(folder)
            link.delete([summary.uid for summary in found])
        except ActionRefused as error:
            yield Finding("removed", Mark.DOUBT, f"{error}; the mail stays in {folder}")


def among(link: Trial, message_id: str) -> list[Summary]:
    """The mails of this id among the last of the open folder."""
    uids = link.search(1)[-20:]
    return [one for one in link.summaries(uids) if one.message_id == message_id] if uids else []
