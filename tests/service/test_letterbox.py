"""A command posts a letter: what lies in the spool is entered, and nothing that is no address goes on a wire."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from watcher.errors import MailRefused
from watcher.model import Kind
from watcher.service.control import Refused
from watcher.service.letterbox import Letterbox
from watcher.store.database import Database
from watcher.store.desk import Desk
from watcher.store.outgoing import Outgoing
from watcher.store.spool import Spool

KEY = "a" * 32


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path)) as opened:
        yield opened


@pytest.fixture
def letterbox(tmp_path: Path, database: Database) -> Letterbox:
    spool = Spool(tmp_path)
    draft = spool.draft(KEY)
    draft.write(b"Subject: x\r\n\r\nhi\r\n")
    draft.finish()
    return Letterbox(Outgoing(database), spool, lambda: None)


def post(letterbox: Letterbox, **other: str) -> object:
    about = {"key": KEY, "relay": "out", "sender": "us@example.com", "recipients": "a@x.org b@x.org"}
    return letterbox.post(message_id="<1@example.com>", **{**about, **other})


def test_each_recipient_is_work(letterbox: Letterbox, database: Database) -> None:
    post(letterbox)
    entries = Desk(database).entries()
    assert {(entry.kind, entry.target) for entry in entries} == {(Kind.SEND, "a@x.org"), (Kind.SEND, "b@x.org")}


@pytest.mark.parametrize(
    "other",
    [
        {"recipients": ""},
        {"recipients": "a@x.org  b@x.org"},
        {"recipients": "a@x.org>\tNOTIFY=NEVER"},
        {"sender": "us@example.com> BODY=7BIT <"},
    ],
)
def test_what_is_no_address_is_refused(letterbox: Letterbox, database: Database, other: dict[str, str]) -> None:
    with pytest.raises(MailRefused, match="is not a mail address"):
        post(letterbox, **other)
    assert not Desk(database).entries()


@pytest.mark.parametrize("key", ["b" * 32, "../" + KEY, "", KEY + "/message.eml"])
def test_what_does_not_lie_in_the_spool_is_refused(letterbox: Letterbox, key: str) -> None:
    with pytest.raises(Refused, match="does not lie in the spool"):
        post(letterbox, key=key)
