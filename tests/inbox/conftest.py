"""A watcher at work: scripted server, lounge, real ledger and spool."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.fakes.imap_server import ImapServer
from watcher.config import load
from watcher.cursor import Arrival
from watcher.house import open_link
from watcher.inbox.access import Access
from watcher.inbox.accounts import Accounts
from watcher.inbox.door import Hall
from watcher.inbox.lounge import Lounge
from watcher.inbox.patience import Patience
from watcher.inbox.post import Reception
from watcher.inbox.pulse import Pulse
from watcher.rules.prefilter import Prefilter
from watcher.store.database import Database
from watcher.store.desk import Desk
from watcher.store.folders import Folders
from watcher.store.paths import Paths
from watcher.store.spool import Spool

PATIENCE = 60.0  #: seconds


QUICK = Patience(done=1.0, idle_ended=0.5, first_wait=0.05, longest_wait=0.2, hold=0.05, fetch_again=0.1)


def mail(number: int, body: bytes = b"hello\r\n") -> bytes:
    return b"From: a@example.com\r\nSubject: mail %d\r\nMessage-ID: <%d@example.com>\r\n\r\n" % (number, number) + body


class Behind:
    """The stages behind an inbox, as its test wants them."""

    def __init__(self, inbox: "Room") -> None:
        self.inbox = inbox

    def room(self) -> int:
        return 0 if self.inbox.trouble else 1 << 40

    def full(self) -> bool:
        return self.inbox.most in range(len(self.inbox.stored()) + 1)

    def in_order(self) -> bool:
        return self.inbox.in_order

    def storing(self, mail: Arrival) -> None:
        self.note("storing", mail.key)

    def dropping(self, key: str) -> None:
        self.note("dropping", key)

    def arriving(self) -> None:
        self.inbox.arriving()

    def arrived(self) -> None:
        pass

    def note(self, what: str, key: str) -> None:
        self.inbox.told.append((what, key, self.inbox.spool.folder(key).raw.exists()))


@dataclass
class Room:
    """The inbox of one daemon. `settings` are lines of the account's section."""

    state: Path
    server: ImapServer
    settings: str = ""
    folders: tuple[str, ...] = ("INBOX",)
    host: str = ""  #: another name of the server
    rules: str = "[[rule]]\nthen = ['seen']\n"
    trouble: str = ""  #: why nothing may be received
    most: int | None = None  #: mails after which the stages behind have enough to do
    in_order: bool = False  #: a handler wants its mail so
    patience: Patience = QUICK
    arriving: Callable[[], object] = lambda: None  #: what else is to be in the commit of RECEIVE
    threads: int = 4  #: of the lounge
    sharers: int = 1  #: accounts of the same user
    told: list[tuple[str, str, bool]] = field(default_factory=list)  #: of which mail, and whether its bytes were there
    failures: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.state.mkdir(exist_ok=True)
        config = self.state / "config.toml"
        proof = (
            "" if re.search("^(password|token|certificate) =", self.settings, re.MULTILINE) else "password = 'secret'"
        )
        config.write_text(
            f"[account.me]\naddress = 'me@example.com'\nuser = 'me'\n{proof}\n"
            f"host = '{self.host or self.server.host}'\nport = {self.server.port}\nca_file = '{self.server.ca_file}'\n"
            f"folders = {json.dumps(self.folders)}\n"
            f"{self.settings}\n{self.rules}"
        )
        config.chmod(0o600)
        settings = load(config)
        (self.account,) = settings.accounts
        self.database = Database(self.state)
        self.spool = Spool(self.state)
        self.lounge = Lounge(self.threads, self.failures.append)
        self.door = Hall(2, rnd=lambda: 0.0).door(self.server.host)
        self.access = Access(open_link, self.patience)
        reception = Reception(
            Folders(self.database),
            self.spool,
            self.access,
            door=lambda _: self.door,
            paths=Paths(self.database),
            downstream=Behind(self),
            patience=self.patience,
            prefilter=Prefilter(lambda: settings.rules),
            sharers=lambda _: self.sharers,
        )
        self.accounts = Accounts(reception, self.lounge, is_paused=lambda _: False)
        self.accounts.begin(self.account)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.database.close()
        assert not self.failures, self.failures

    def stop(self) -> None:
        """As the daemon does it. Safe to call twice."""
        if self.lounge.porter.is_alive():
            self.lounge.announce_close()
            self.access.abort()
            self.lounge.close()

    @property
    def pulses(self) -> list[Pulse]:
        return self.accounts.pulses()

    @property
    def pulse(self) -> Pulse:
        return self.pulses[0]

    def stored(self) -> list[bytes]:
        """The raw mails in the ledger's order."""
        rows = self.database.read("SELECT key FROM mail ORDER BY id")
        return [self.spool.folder(row["key"]).raw.read_bytes() for row in rows]

    def numbers(self) -> list[int]:
        """Which of the mails made by `mail` are there."""
        return [int(raw.split(b"Subject: mail ")[1].split(b"\r\n")[0]) for raw in self.stored()]

    def wait(self, condition: Callable[[], object], what: str = "") -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what or 'not in time'}: {self.pulses}, {self.numbers()}"
            assert not self.failures, self.failures
            time.sleep(0.01)

    def wait_numbers(self, *expected: int) -> None:
        self.wait(lambda: sorted(self.numbers()) == sorted(expected), f"expected {expected}")

    def wait_idle(self, links: int = 1) -> None:
        self.wait(lambda: self.server.idling >= links and all(pulse.scanned_at for pulse in self.pulses))

    def desk(self) -> Desk:
        return Desk(self.database)


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer() as running:
        yield running


@pytest.fixture
def room(tmp_path: Path, server: ImapServer) -> Callable[..., Room]:
    return lambda settings="", **given: Room(tmp_path / "state", server, settings, **given)
