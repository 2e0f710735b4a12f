"""Shipped handlers on mails that are taken apart as the daemon does it, run by its dispatcher; all real files."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from watcher.cli.trial.bench import unsent
from watcher.config.handlers import HandlerSettings
from watcher.jobs.dispatch import Dispatcher
from watcher.mail.trust import TrustPolicy
from watcher.mail.unpack import unpack
from watcher.model import Envelope, Kind, MailFolder, Outcome, Place, Work
from watcher.wishes import Request

SHIPPED = Path(__file__).parents[2] / "handlers"
BORDER = "mx.you.example"


def letter(subject="Invoice 7", text="Please pay.\n", *, sender="Ann <ann@example.org>", verified=True, **fields):
    """A mail from outside, stamped by our border; `fields` are further ones of its header, `_` stands for `-`."""
    mail = EmailMessage(policy=SMTP)
    result = "pass" if verified else "fail"
    mail["Authentication-Results"] = (
        f"{BORDER}; dkim={result} header.d=example.org; dmarc={result} header.from=example.org"
    )
    mail["Received"] = f"from mail.example.org (mail.example.org [192.0.2.20]) by {BORDER} with ESMTPS id 1"
    for name, value in {
        "From": sender,
        "To": "You <you@you.example>",
        "Subject": subject,
        "Date": datetime.now(UTC),
        "Message-ID": f"<{sha256(subject.encode()).hexdigest()[:12]}@example.org>",
        **fields,
    }.items():
        if value is not None:
            mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def attached(data: bytes, name: str, kind: str = "application/pdf", **more) -> EmailMessage:
    mail = letter(**more)
    main, _, sub = kind.partition("/")
    mail.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return mail


@dataclass
class Shop:
    """A folder of shipped handlers, and mails to run them on."""

    root: Path
    settings: dict[str, HandlerSettings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("handlers", "spool", "out"):
            (self.root / folder).mkdir(mode=0o755)
        self.out = self.root / "out"
        self.letters: list[Request] = []
        self.dispatcher = Dispatcher(
            lambda name: self.settings.get(name, HandlerSettings()),
            self.root / "handlers",
            self.root / "spool",
            write=partial(unsent, self.letters),
        )

    def install(self, name: str, **environment: str) -> None:
        """Put a shipped handler in place, with these settings."""
        [file] = [path for path in SHIPPED.iterdir() if path.stem == name]
        shutil.copy(file, self.root / "handlers")
        self.settings[name] = HandlerSettings(env=environment)

    def receive(self, mail: EmailMessage | bytes) -> str:
        """A mail comes; its key."""
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        key = sha256(raw).hexdigest()[:32]
        folder = MailFolder(self.root / "spool" / key)
        if not folder.path.exists():
            folder.path.mkdir(mode=0o700)
            folder.raw.write_bytes(raw)
            envelope = Envelope(key, "you", "INBOX", 7, 42, datetime.now(UTC))
            unpack(folder, envelope, policy=TrustPolicy(authserv=(BORDER,)))
        return key

    def run(self, name: str, mail: EmailMessage | bytes, attempt: int = 1) -> Outcome:
        """Run a handler on a mail; a repeat has the same key."""
        key = self.receive(mail)
        place, now = Place("you", "INBOX", 7, 42), datetime.now(UTC)
        work = Work(1, Kind.JOB, name, "", 1, key, place, now, key, attempt, attempt, 0, time.time())
        return self.dispatcher.run(work)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = Shop(tmp_path)
    yield opened
    opened.dispatcher.close()


class Desk(ThreadingHTTPServer):
    """An HTTP server that keeps what it is sent and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Clerk)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answer = 200

    @property
    def port(self) -> int:
        return self.server_address[1]


class Clerk(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answer)
        self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(name="letter")
def _letter():
    return letter


@pytest.fixture(name="attached")
def _attached():
    return attached
