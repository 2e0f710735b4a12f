"""Dovecot's own submission server before Postfix, as many hosts have it: other extensions, the same circle."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.ports import free_port
from tests.system.postfix import DOVECOT_SETTINGS, Postfix

pytestmark = pytest.mark.system

ANSWER = """#!/usr/bin/env python3
import json, os
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    files = [os.path.abspath("message.eml")]
    actions.write(json.dumps({"action": "reply", "text": "Thanks", "attachments": files}) + "\\n")
"""


@pytest.fixture(scope="module")
def port() -> int:
    """Of submission, which becomes TLS by STARTTLS."""
    return free_port()


@pytest.fixture(scope="module")
def server(port: int) -> Iterator[Dovecot]:
    dovecot = Dovecot(users=("alice", "bob"), settings=DOVECOT_SETTINGS)
    postfix = Postfix(dovecot)
    config = dovecot.root / "dovecot.conf"
    text = config.read_text().replace("protocols = imap lmtp", "protocols = imap lmtp submission")
    text = text.replace("auth_mechanisms = plain login", "auth_mechanisms = plain login scram-sha-256")
    config.write_text(f"""{text}
hostname = localhost
submission_relay_host = 127.0.0.1
submission_relay_port = {postfix.port}
submission_relay_ssl = starttls
submission_relay_ssl_verify = no
submission_relay_user = bob
submission_relay_password = {dovecot.password}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {port}
  }}
}}
""")
    with dovecot, postfix:
        yield dovecot


def section(server: Dovecot, user: str, port: int) -> str:
    return (
        f'[smtp.{user}]\nhost = "127.0.0.1"\nport = {port}\ntls = "starttls"\nuser = "{user}"\n'
        f'password = {{ file = "password" }}\nca_file = "{server.ca_file}"\nfrom = "{user}@example.com"\n'
    )


def configured(server: Dovecot, port: int, tmp_path: Path, password: str) -> Path:
    """The configuration of bob, of another state than the daemon's."""
    folder = tmp_path / "bob"
    folder.mkdir()
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(password)
    account = '[account.bob]\naddress = "bob@example.com"\npassword = { file = "password" }\n'
    (folder / "config.toml").write_text(account + section(server, "bob", port) + '[watcher]\nstate = "state"\n')
    return folder / "config.toml"


def sent(config: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """What the command says that sends a mail to alice."""
    command = [sys.executable, "-m", "watcher", "--config", config, "send", "--trace", "--to", "alice@example.com"]
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)


def test_a_mail_goes_through_it_and_its_answer_too(server: Dovecot, port: int, tmp_path: Path) -> None:
    config = configured(server, port, tmp_path, server.password)
    big = tmp_path / "大.bin"
    big.write_bytes(bytes(range(256)) * 8000)
    settings = section(server, "alice", port)
    with Daemon(tmp_path, server, [Watched("alice")], handlers={"answer": ANSWER}, settings=settings) as daemon:
        done = sent(config, "--subject", "Grüße 大", "--text", "Hello", "--attach", str(big))
        assert done.returncode == 0, done.stdout + done.stderr + server.log()
        assert server.password not in done.stdout
        assert "C: AUTH SCRAM-SHA-256 ***" in done.stdout
        daemon.until(lambda: server.flags("bob"), 60, "the answer in the other mailbox")
        assert daemon.stop() == 0


def test_a_wrong_password_is_told_and_not_repeated(server: Dovecot, port: int, tmp_path: Path) -> None:
    config = configured(server, port, tmp_path, "wrong canary")
    done = sent(config, "--text", "Hello")
    assert done.returncode != 0
    assert "wrong canary" not in done.stdout + done.stderr
    assert "535 5.7.8 Authentication failed; user name or password is wrong" in done.stderr
