"""A spool with one mail, a folder of handlers and a dispatcher on both; all real files and processes."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs.dispatch import Dispatcher
from watcher.model import Kind, MailFolder, Outcome, Place, Work

RAW = b"From: Ann <ann@example.org>\r\nSubject: Invoice 7\r\n\r\nPlease pay.\r\n"
PDF = b"%PDF-1.4 small"


def wait_until(condition, seconds=10.0):
    """Wait for something that another process does; a test that waits longer has failed."""
    due = monotonic() + seconds
    pause = Event()
    while not condition():
        assert monotonic() < due, "it did not happen in time"
        pause.wait(0.02)


def running(pid):
    """Whether a process is there and no zombie."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass
class Room:
    """Everything a handler run needs."""

    root: Path
    settings: dict[str, HandlerSettings] = field(default_factory=dict)
    places: dict[str, dict[str, object]] = field(default_factory=dict)  #: settings that say where a handler is
    dispatchers: list[Dispatcher] = field(default_factory=list)

    @property
    def handlers(self) -> Path:
        return self.root / "handlers"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def dispatcher(self) -> Dispatcher:
        return self.dispatchers[-1]

    def open(self) -> Dispatcher:
        chosen = Dispatcher(self.settings_of, self.handlers, self.spool)
        self.dispatchers.append(chosen)
        return chosen

    def settings_of(self, name: str) -> HandlerSettings:
        given = self.settings.get(name, HandlerSettings())
        place = dict(self.places.get(name, {}))
        return replace(given, env={**given.env, **place.pop("env", {})}, **place) if place else given

    def script(self, name: str, text: str, mode: int = 0o755) -> Path:
        """A handler; a text without `#!` is for the shell."""
        path = self.handlers / name
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(mode)
        return path

    def python(self, name: str, text: str) -> Path:
        path = self.handlers / f"{name}.py"
        path.write_text(text)
        path.chmod(0o644)
        return path

    def entry_point(self, name: str, text: str, version: str = "1.0") -> None:
        """A handler that an installed package brings: the function `handle` of its module."""
        packages = self.root / "packages"
        information = packages / f"{name}_package-{version}.dist-info"
        information.mkdir(parents=True)
        (packages / f"{name}_module.py").write_text(text)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-package\nVersion: {version}\n")
        (information / "entry_points.txt").write_text(f"[imap_watcher.handlers]\n{name} = {name}_module:handle\n")
        self.places[name] = {"env": {"PYTHONPATH": str(packages)}}

    def mail(self, key: str = "m1", subject: str = "Invoice 7", raw: bytes = RAW) -> MailFolder:
        folder = MailFolder(self.spool / key)
        folder.attachments.mkdir(parents=True)
        folder.raw.write_bytes(raw)
        (folder.path / "body.txt").write_text("Please pay.\n")
        (folder.attachments / "bill.pdf").write_bytes(PDF)
        facts = json.loads((Path(__file__).parent / "message.json").read_text())
        facts["attachments"][0]["sha256"] = sha256(PDF).hexdigest()
        folder.facts.write_text(json.dumps(facts | {"subject": subject, "size": len(raw)}))
        for file in (path for path in folder.path.rglob("*") if path.is_file()):
            file.chmod(0o400)  # as the daemon makes them
        return folder

    def work(self, name: str, key: str = "m1", **fields) -> Work:
        if not (self.spool / key).exists():
            self.mail(key)
        place = fields.pop("place", Place("support", "INBOX", 7, 42))
        received = datetime(2026, 11, 21, 10, tzinfo=UTC)
        given = {"attempt": 1, "tries": 1, "crashes": 0, "first_at": 1795255200.0, **fields}
        return Work(1, Kind.JOB, name, "", 1, key, place, received, sha256(RAW).hexdigest(), **given)

    def run(self, name: str, **fields) -> Outcome:
        return self.dispatcher.run(self.work(name, **fields))


@pytest.fixture(name="wait_until")
def _wait_until():
    return wait_until


@pytest.fixture(name="running")
def _running():
    return running


@pytest.fixture
def room(tmp_path: Path):
    room = Room(tmp_path)
    for folder in (room.handlers, room.spool):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)  # whatever the umask
    room.open()
    yield room
    for dispatcher in room.dispatchers:
        dispatcher.close()
