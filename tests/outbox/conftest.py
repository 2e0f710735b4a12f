"""A scribe of one account, and mails that come in."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from tests.fakes.smtp_server import PASSWORD
from watcher.config.handlers import HandlerSettings
from watcher.config.masking import forms
from watcher.config.smtp import Relay
from watcher.mail.unpack import unpack
from watcher.model import Address, Envelope, Kind, Place, Work
from watcher.outbox.enclosures import Enclosure
from watcher.outbox.scribe import Scribe, Us
from watcher.store.spool import Spool

ORDINARY = b"""\
Return-Path: <bob@example.org>\r\nFrom: Bob <bob@example.org>\r\nTo: support@example.com\r\nSubject: Invoice 7\r
Message-ID: <m1@example.org>\r\nReferences: <m0@example.org>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r
Here it is.\r
"""


def enclosed(name, type_, data, content_id=""):
    """A file that lies in memory."""
    return Enclosure(name, type_, len(data), partial(BytesIO, data), content_id)


@pytest.fixture(autouse=True)
def _nobody_learns_the_password(tmp_path, caplog, capsys):
    """Whatever a test does, and however it fails: no file, log or output has it, plain or in base64."""
    caplog.set_level(logging.DEBUG, logger="watcher")
    yield
    seen = {"the log": caplog.text.encode(), "the output": "".join(capsys.readouterr()).encode()}
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()}
    for where, content in {**seen, **files}.items():
        assert not any(form.encode() in content for form in forms(PASSWORD)), where


@dataclass
class Room:
    """A scribe with its spool."""

    state: Path
    settings: HandlerSettings = field(default_factory=HandlerSettings)
    instance: str = "state-1"

    def __post_init__(self):
        self.spool = Spool(self.state)
        relay = Relay(
            name="support",
            sender=Address("Support", "support@example.com"),
            host="localhost",
            port=25,
            tls="none",
        )
        us = Us(
            relay=lambda name: relay if name in {"support", "bulk"} else None,
            handler=lambda _: self.settings,
            addresses=lambda: frozenset({"support@example.com"}),
            instance=self.instance,
        )
        self.scribe = Scribe(us, self.spool)

    def arrive(self, raw=ORDINARY, key="m1", account="support"):
        draft = self.spool.draft(key)
        draft.write(raw)
        draft.finish()
        unpack(self.spool.folder(key), Envelope())
        place = Place(account, "INBOX", 1, 1)
        return Work(1, Kind.JOB, "h", "", 1, key, place, datetime.now(UTC), "d", 1, 1, 0, 0.0)

    def write(self, *requests, raw=ORDINARY, roots=(), **other):
        work = self.arrive(raw, **other)
        return self.scribe.write(work, requests, [self.spool.folder(work.key).path, *roots])

    def sent(self, posting):
        return self.spool.folder(posting.key).raw.read_bytes()


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)
