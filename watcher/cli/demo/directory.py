"""The demo's temporary directory: certificate, configuration and two handlers, as a user would write them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from watcher.cli.demo.certificate import write_certificate

__all__ = ["HANDLERS", "DemoDirectory", "Report", "laid_out"]

SHELL = """#!/bin/sh
# Copies the attachments of a mail to $SAVED. The working directory is the mail's own folder.
set -eu
count=0
for file in attachments/*; do
    [ -f "$file" ] || continue
    cp "$file" "$SAVED/"
    count=$((count + 1))
done
echo "saved $count file(s)"
# What the demo shows of it:
echo "{\\"said\\": \\"saved $count file(s)\\"}" > "$TOLD/$WATCHER_UID.save-attachments"
"""

PYTHON = '''"""Sums a mail up. This process stays warm: the next mail is the next call."""

import json
import os
from pathlib import Path


def handle(message):
    parts = [name for name, text in (("text", message.text), ("HTML", message.html)) if text]
    parts += [f"{file.name or file.path.name}, {file.type}, {file.size} bytes" for file in message.attachments]
    author = message.from_[0]
    said = f"{len(parts)} part(s), {message.size} bytes in all"
    print(said)
    # What the demo shows of it:
    told = {"from": f"{author.name} <{author.address}>", "subject": message.subject, "parts": parts, "said": said}
    Path(os.environ["TOLD"], f"{message.uid}.summarize").write_text(json.dumps(told))
'''

#: Name of a handler -> (its file, mode, content).
HANDLERS = {
    "save-attachments": ("save-attachments", 0o755, SHELL),
    "summarize": ("summarize.py", 0o644, PYTHON),
}

#: Renewed so often because pymap does not push a mail that comes while it is still telling of a flag.
CONFIG = """\
[account.demo]
address = "{user}"
password = {{ file = "{root}/password" }}
host = "{host}"
port = {port}
ca_file = "{root}/ca.pem"
start = "all"
renew = "5s"

[[rule]]
run = ["save-attachments", "summarize"]
then = ["seen"]

[handler.save-attachments]
env = {{ SAVED = "{root}/saved", TOLD = "{root}/told" }}

[handler.summarize]
env = {{ TOLD = "{root}/told" }}

[watcher]
state = "{root}/state"
handlers = "{root}/handlers"
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What the handlers told of one mail."""

    sender: str
    subject: str
    parts: tuple[str, ...]
    said: tuple[tuple[str, str], ...]  #: (handler, what it said)


@dataclass(frozen=True, slots=True)
class DemoDirectory:
    """The directory and the names in it."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def ca_file(self) -> Path:
        return self.root / "ca.pem"

    @property
    def certificate(self) -> Path:
        return self.root / "server.pem"

    @property
    def handlers(self) -> Path:
        return self.root / "handlers"

    @property
    def log(self) -> Path:
        """What the daemon prints."""
        return self.root / "daemon.log"

    def configure(self, user: str, password: str, host: str, port: int) -> None:
        """Write the configuration for this server."""
        secret = self.root / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        self.config.write_text(CONFIG.format(root=self.root, user=user, host=host, port=port))

    def reported(self) -> frozenset[int]:
        """UIDs of the mails of which any handler has told."""
        return frozenset(int(path.name.partition(".")[0]) for path in (self.root / "told").iterdir())

    def report(self, uid: int) -> Report | None:
        """What the handlers told of the mail, once each of them has."""
        told = {name: _read(self.root / "told" / f"{uid}.{name}") for name in HANDLERS}
        if not all(told.values()):
            return None
        facts = told["summarize"]
        said = tuple((name, str(words["said"])) for name, words in told.items())
        return Report(str(facts["from"]), str(facts["subject"]), tuple(map(str, facts["parts"])), said)


@contextmanager
def laid_out() -> Iterator[DemoDirectory]:
    """The directory, laid out; removed afterwards with all that is in it."""
    with TemporaryDirectory(prefix="imap-watcher-demo-") as name:
        built = DemoDirectory(Path(name))
        for folder in ("handlers", "saved", "told"):
            (built.root / folder).mkdir()
        for file, mode, content in HANDLERS.values():
            path = built.handlers / file
            path.write_text(content, encoding="utf-8")
            path.chmod(mode)
        write_certificate(built.ca_file, built.certificate)
        yield built


def _read(path: Path) -> dict[str, Any]:
    """What a handler has told; empty while it has not, or is still writing."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return told
