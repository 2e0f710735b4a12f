"""What is erased is not left in our own alerts either, which quote what a run printed and whom a relay refused."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.conftest import Books, arrival, books
from watcher.config.alerts import AlertSettings
from watcher.config.smtp import Relay
from watcher.model import Address
from watcher.outbox.alarm import APART, Alarm
from watcher.posting import Posting
from watcher.service.erasing import Erasing, spellings
from watcher.store.erasure import Erasure
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

__all__ = ["books"]

LOG = logging.getLogger("watcher.test")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


@pytest.fixture
def alarm(books: Books, spool: Spool) -> Iterator[Alarm]:
    relay = Relay(name="out", sender=Address("", "us@example.com"), host="localhost", port=25, tls="none")
    outgoing = Outgoing(books.database)
    settings = AlertSettings(to=("admin@example.org",), smtp="out")
    made = Alarm(
        lambda: settings, lambda _: relay, spool, outgoing.instance, lambda posting: outgoing.post(posting, 10.0)
    )
    LOG.addHandler(made)
    yield made
    LOG.removeHandler(made)


def test_alerts_that_tell_of_it_go_with_it(books: Books, spool: Spool, alarm: Alarm) -> None:
    books.receive(arrival(1), arrival(11))
    for number, uid in enumerate((11, 1)):
        LOG.error("a/INBOX UID %d: job book (job 3, attempt 1): dead: exit 65: no room for größe@example.org", uid)
        alarm.flush_due((number + 1) * APART)
    erasing = Erasing(Erasure(books.database), spool)
    assert len(list(spool.path.iterdir())) == 2
    found = erasing.find(message_id="<1@example.com>", account="a")
    assert [(trace["account"], trace["letter"]) for trace in found] == [("a", 0), ("out", 1)]
    assert erasing.erase(message_id="<1@example.com>", account="a") == {"erased": 2, "busy": []}
    [left] = spool.path.iterdir()
    assert b"UID 11:" in (left / "message.eml").read_bytes()


@pytest.mark.parametrize(
    ("address", "spelt"),
    [
        ("Ann@Example.ORG", {"ann@example.org"}),
        ("ann@exämple.org", {"ann@exämple.org", "ann@xn--exmple-cua.org"}),
        ("Ann@XN--exmple-cua.org", {"ann@exämple.org", "ann@xn--exmple-cua.org"}),
        ("änn@example.org", {"änn@example.org"}),
        ('"ann b"@example..org', {'"ann b"@example..org'}),
        (f"ann@{'x' * 64}.org", {f"ann@{'x' * 64}.org"}),
        ("", set()),
    ],
)
def test_an_address_is_looked_for_in_all_its_spellings(address: str, spelt: set[str]) -> None:
    assert spellings(address) == spelt


@pytest.mark.parametrize("address", ["ann@exämple.org", "ANN@EXÄMPLE.ORG", "ann@xn--exmple-cua.org"])
def test_letters_to_a_domain_of_any_alphabet_are_found(books: Books, spool: Spool, address: str) -> None:
    wired = Posting("k", "out", "send", "us@example.com", ("Ann@xn--exmple-cua.org",), "<k@example.com>", "d", 1)
    Outgoing(books.database).post(wired, 10.0)
    [found] = Erasing(Erasure(books.database), spool).find(address=address)
    assert found["letter"] == 1
