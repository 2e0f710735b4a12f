"""Erasing mails for good: what the ledger tells of them, then their folders, then the bytes in the ledger's files."""

import time
from collections.abc import Callable, Collection
from dataclasses import asdict

from watcher.service.control import Refused
from watcher.store.erasure import Erasure, Target, Trace
from watcher.store.spool import Spool

__all__ = ["Erasing"]


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
        return [told(trace) for trace in self.erasure.find(Target(keys.split(), message_id, address, account))]

    def erase(self, *, keys: str = "", message_id: str = "", address: str = "", account: str = "") -> object:
        """
        Erase it: `erased` counts the mails, and `busy` names the jobs for which nothing was erased yet.

        Raises Refused for what could not be removed, and as `Erasure.scrub` does; asked again, it goes on from there.
        """
        traces = self.erasure.erase(Target(keys.split(), message_id, address, account), time.time())
        if busy := [trace.running for trace in traces if trace.running]:
            return {"erased": 0, "busy": busy}
        gone = {trace.key for trace in traces}
        self.ring()
        self.forget(gone)
        if left := self.spool.remove(gone):
            raise Refused(f"can't be removed, which a person must do: {', '.join(map(str, left))}")
        self.erasure.scrub()
        return {"erased": len(traces), "busy": []}


def told(trace: Trace) -> object:
    """Without what only the ledger understands."""
    return {name: value for name, value in asdict(trace).items() if name != "mail"}
