"""The directory of a daemon under test: what is written into it before, and what a kill leaves in it."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.system.dovecot import Dovecot

__all__ = ["Watched", "recorded_successes", "write_configuration"]


@dataclass(frozen=True, slots=True)
class Watched:
    """One account of the configuration; its name is the Dovecot user's."""

    user: str
    folders: tuple[str, ...] = ("INBOX",)
    start: str = "all"
    relay: tuple[str, int] | None = None  #: host and port of a relay before the server
    settings: str = ""  #: further TOML of the account


def write_configuration(
    home: Path, server: Dovecot, accounts: Sequence[Watched], handlers: Mapping[str, str], settings: str
) -> None:
    """
    config.toml, the password and the handlers (file name -> content), all of which run on every mail.

    State is to be kept in `state`; then every mail is to be marked as read.
    """
    folder = home / "handlers"
    folder.mkdir()
    for name, content in handlers.items():
        path = folder / name
        path.write_text(content)
        path.chmod(0o644 if name.endswith(".py") else 0o755)
    secret = home / "password"
    secret.touch(mode=0o600)
    secret.write_text(server.password)
    names = json.dumps(sorted(name.partition(".")[0] for name in handlers))
    rule = f'[[rule]]\nrun = {names}\nthen = ["seen"]\n'
    own = f'[watcher]\nstate = "{home}/state"\nhandlers = "{folder}"\n'
    sections = [_account(home, server, account) for account in accounts]
    (home / "config.toml").write_text("\n".join([*sections, rule, own, settings]))


def recorded_successes(state: Path) -> list[tuple[str, str]]:
    """(handler, mail) of each job whose success stands in the ledger of a killed daemon; its files stay as they are."""
    with tempfile.TemporaryDirectory() as copy:
        for file in state.glob("ledger.db*"):
            shutil.copy(file, copy)
        if not (Path(copy) / "ledger.db").exists():
            return []
        with closing(sqlite3.connect(Path(copy) / "ledger.db")) as ledger:
            if not ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'work'").fetchone():
                return []
            return ledger.execute(
                "SELECT work.name, mail.key FROM work JOIN mail ON mail.id = work.mail"
                " WHERE work.kind = 'job' AND work.status = 'done'"
            ).fetchall()


def _account(home: Path, server: Dovecot, account: Watched) -> str:
    host, port = account.relay or (server.host, server.port)
    return f"""[account.{account.user}]
address = "{account.user}@test.example"
user = "{account.user}"
password = {{ file = "{home}/password" }}
host = "{host}"
port = {port}
ca_file = "{server.ca_file}"
folders = {json.dumps(account.folders)}
start = "{account.start}"
{account.settings}
"""
