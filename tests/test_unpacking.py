"""A mail is taken apart once, by who claims it or while it is still being entered in the ledger."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.config import load
from watcher.cursor import Anchor, Arrival
from watcher.house import House, open_house
from watcher.inbox.receive import key, place_of
from watcher.model import Kind, MailFolder, Verdict, Work
from watcher.service.ending import Ending
from watcher.store.removal import discard

RAW = b"From: Ann <ann@example.org>\r\nSubject: Invoice\r\n\r\nPlease pay.\r\n"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONFIG = """
[account.me]
address = "me@example.org"
host = "127.0.0.1"
password = "secret"

[[rule]]
then = ["seen"]
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "state").mkdir(mode=0o700)
    config = tmp_path / "config.toml"
    config.write_text(f"{CONFIG}\n[watcher]\nstate = '{tmp_path}/state'\n")
    config.chmod(0o600)
    with ExitStack() as at_end:
        yield open_house(load(config), Ending(), at_end)


def arrive(house: House, uid: int = 1) -> Arrival:
    """A mail whose bytes are in the spool, not in the ledger so far."""
    cursor = house.folders.take("me", "INBOX")
    cursor = cursor if cursor.epoch else house.folders.anchor(cursor, Anchor(7, 1), 0.0)
    draft = house.spool.draft(key(cursor, uid))
    draft.write(RAW)
    draft.finish()
    arrival = Arrival(place_of(cursor, uid), key(cursor, uid), NOON, draft.size, f"<{uid}@x>", f"d{uid}", f"b{uid}")
    house.unpacking.begin(arrival.key, arrival.place, arrival.received)
    house.spool.settle([arrival.key])
    house.folders.receive(replace(cursor, next_uid=uid + 1), [arrival], [], time.time())
    return arrival


def claim(house: House) -> Work:
    (work,) = house.ledger.claim(Kind.UNPACK, time.time(), {"": 1})
    return work


def written(folder: MailFolder) -> tuple[int, bytes]:
    return folder.facts.stat().st_mtime_ns, folder.facts.read_bytes()


def test_what_was_begun_is_what_its_claim_finds(house: House) -> None:
    folder = house.spool.folder(arrive(house).key)
    house.unpacking.begun[folder.path.name].result(60)
    begun = written(folder)
    work = claim(house)
    assert house.unpacking.find_handlers(work).verdict is Verdict.DONE
    assert written(folder) == begun, "it was taken apart twice"
    assert house.unpacking.find_handlers(work).verdict is Verdict.DONE
    again = written(folder)
    assert again[0] != begun[0], "this test can't tell that from once"
    assert again[1] == begun[1], "what was begun knew less of its mail"


def test_who_removes_a_folder_waits_until_nobody_writes_there(house: House) -> None:
    arrival = arrive(house)
    house.unpacking.forget(arrival.key)
    folder = house.spool.folder(arrival.key)
    assert folder.facts.exists()
    discard(folder.path)
    house.unpacking.forget(arrival.key)
    house.unpacking.close()
    assert not folder.path.exists()


def test_what_can_not_be_taken_apart_is_told_to_who_claims_it(house: House) -> None:
    house.unpacking.pool.close()
    arrive(house)
    assert house.unpacking.find_handlers(claim(house)).verdict is Verdict.CRASHED


def test_what_was_claimed_goes_first_and_what_nobody_claims_makes_way(house: House) -> None:
    first = arrive(house, 1)
    house.unpacking.begun[first.key].result(60)
    second = arrive(house, 2)
    assert list(house.unpacking.begun) == [second.key]
    house.unpacking.begun[second.key].result(60)
    house.unpacking.busy += 1
    arrive(house, 3)
    assert list(house.unpacking.begun) == [second.key]
    house.unpacking.busy -= 1
    verdicts = [house.unpacking.find_handlers(claim(house)).verdict for _ in range(3)]
    assert verdicts == [Verdict.DONE] * 3
