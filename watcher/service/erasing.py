"""Erasing mails for good: what the ledger tells of them, then their folders, then the bytes in the ledger's files."""

import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, replace
from email import message_from_bytes
from email.policy import SMTP

from watcher.outbox.alarm import ALERT
from watcher.service.control import Refused
from watcher.store.erasure import Erasure, Target, Trace
from watcher.store.spool import Spool

__all__ = ["Erasing", "spellings"]


class Erasing:
    """Asked by the control socket, or by a command while no daemon runs."""

    def __init__(
        self,
        erasure: Erasure,
        spool: Spool,
        ring: Callable[[], object] = lambda: None,
        forget: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        """`ring`: what stood behind the erased may go on; `forget`: what was told of mails with these keys."""
        self.erasure = erasure
        self.spool = spool
        self.ring = ring
        self.forget = forget

    def find(self, *, keys: str = "", message_id: str = "", address: str = "", account: str = "") -> object:
        """What would be erased; `keys` of spool folders with blanks between them."""
        return [told(trace) for trace in self.erasure.find(self.with_alerts(keys, message_id, address, account))]

    def erase(self, *, keys: str = "", message_id: str = "", address: str = "", account: str = "") -> object:
        """
        Erase it: `erased` counts the mails, and `busy` names the jobs for which nothing was erased yet.

        Raises Refused for what could not be removed, and as `Erasure.scrub` does; asked again, it goes on from there.
        """
        traces = self.erasure.erase(self.with_alerts(keys, message_id, address, account), time.time())
        if busy := [trace.running for trace in traces if trace.running]:
            return {"erased": 0, "busy": busy}
        gone = {trace.key for trace in traces}
        self.ring()
        self.forget(gone)
        if left := self.spool.remove(gone):
            raise Refused(f"can't be removed, which a person must do: {', '.join(map(str, left))}")
        self.erasure.scrub()
        return {"erased": len(traces), "busy": []}

    def with_alerts(self, keys: str, message_id: str, address: str, account: str) -> Target:
        """What is asked for, and the alerts that tell of it: what a run printed or a relay said stands there, too."""
        target = Target(keys.split(), message_id, spellings(address), account)
        places = {f"{trace.account}/{trace.folder} UID {trace.uid}" for trace in self.erasure.find(target)}
        alerts = self.erasure.letters(ALERT) if places else []
        return replace(target, own=[key for key in alerts if tells_of(places, self.text(key))])

    def text(self, key: str) -> str:
        """Of a letter of ours, "" if it is gone meanwhile."""
        with suppress(FileNotFoundError):
            body = message_from_bytes(self.spool.folder(key).raw.read_bytes(), policy=SMTP).get_body(("plain",))
            return body.get_content() if body else ""
        return ""


def spellings(address: str) -> set[str]:
    """It in lower case, its domain as people write it and as it goes over the wire (RFC 5891); of "", none."""
    local, at, domain = address.lower().rpartition("@")
    found = {address.lower()} - {""}
    with suppress(UnicodeError):  # there can be no such domain: it is looked for as it is
        wired = domain.encode("idna")
        found |= {f"{local}{at}{spelt}" for spelt in (wired.decode("ascii"), wired.decode("idna")) if spelt}
    return found


def tells_of(places: Collection[str], text: str) -> bool:
    """Whether a line begins as one does that tells of a mail at one of these places."""
    ends = ((line, found.end()) for line in text.split("\n") for found in re.finditer(r" UID \d+", line))
    return any(line[:end] in places for line, end in ends)


def told(trace: Trace) -> object:
    """Without what only the ledger understands."""
    return {name: value for name, value in asdict(trace).items() if name != "mail"}
