"""
From the ledger on: mails that lie received, taken apart; then handled, by real handlers in real processes, with every
outcome durable. On the disk where the system's temporary files are, as that is what a power cut would ask.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from tests.bench.frame import Figure
from tests.system.mails import mail
from watcher.config import load
from watcher.cursor import Anchor, Arrival
from watcher.daemon import open_after, open_dispatcher, open_jobs, open_unpack
from watcher.house import House, open_house
from watcher.inbox.receive import key, place_of
from watcher.model import Kind
from watcher.service.ending import Ending
from watcher.store.desk import Filter

__all__ = ["fill", "measured", "opened"]

_CONFIG = """
[account.bench]
address = "bench@example.org"
host = "127.0.0.1"
password = { env = "NONE" }

[[rule]]
run = ["handler"]

[watcher]
state = "state"
"""
_HANDLERS = {
    "warm Python": ("handler.py", "def handle(message):\n    message.subject\n", 300),
    "shell": ("handler", '#!/bin/sh\n[ -r "$WATCHER_MESSAGE" ]\n', 150),
}
_PATIENCE = 300.0


def measured(quick: bool) -> Iterator[Figure]:
    """Warm Python and shell have their targets on two cores; taking apart is measured on the way."""
    mails = 300 if quick else 2000
    unpacked = []
    for what, (file, text, least) in _HANDLERS.items():
        with opened({file: text}) as house:
            fill(house, mails)
            open_unpack(house)
            unpacked.append(mails / seconds_until_done(house, Kind.UNPACK))
            open_jobs(house, open_dispatcher(house), open_after(house))
            handled = mails / seconds_until_done(house, Kind.JOB)
        yield Figure("ledger", f"{what} handler", handled, "mails/s", f"over {least}", handled > least)
    yield Figure("ledger", "taken apart", max(unpacked), "mails/s")


@contextmanager
def opened(handlers: Mapping[str, str]) -> Iterator[House]:
    """A house with these handlers (file name -> content), and nobody in it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place, ExitStack() as at_end:
        home = Path(place)
        for name in ("handlers", "state"):
            (home / name).mkdir(mode=0o700)
        for file, text in handlers.items():
            (home / "handlers" / file).write_text(text)
            (home / "handlers" / file).chmod(0o755 if text.startswith("#!") else 0o644)
        config = home / "config.toml"
        config.write_text(_CONFIG)
        config.chmod(0o600)
        yield open_house(load(config), Ending(), at_end)


def fill(house: House, mails: int, most: int = 100) -> None:
    """Receive so many mails."""
    account = house.config.accounts[0].name
    cursor = house.folders.anchor(house.folders.take(account, "INBOX"), Anchor(7, 1), time.time())
    for start in range(1, mails + 1, most):
        uids = range(start, min(start + most, mails + 1))
        arrivals = []
        for uid in uids:
            raw = mail(uid).raw
            draft = house.spool.draft(key(cursor, uid))
            draft.write(raw)
            draft.finish()
            name = f"<{uid}@example.org>"
            digest = sha256(raw).hexdigest()
            arrivals.append(
                Arrival(place_of(cursor, uid), key(cursor, uid), datetime.now(UTC), len(raw), name, digest, str(uid))
            )
        house.spool.settle(arrival.key for arrival in arrivals)
        cursor = replace(cursor, next_uid=uids[-1] + 1)
        house.folders.receive(cursor, arrivals, [], time.time())


def seconds_until_done(house: House, kind: Kind) -> float:
    """How long a stage that was just started has to work."""
    began = time.monotonic()
    while house.ledger.backlog(kind) or "running" in house.desk.counts()[kind]:
        if house.ending.wait(0.05) or time.monotonic() > began + _PATIENCE:
            raise RuntimeError(house.ending.reason or f"{house.desk.counts()}")
    taken = time.monotonic() - began
    if repeated := [entry for entry in house.desk.entries(Filter(kind=kind, limit=10_000)) if entry.attempts > 1]:
        raise RuntimeError(
            f"{len(repeated)} were tried again, which counts their waits: {house.desk.show(repeated[0].id)}"
        )
    return taken
