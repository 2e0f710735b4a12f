"""
A password that is a canary: while logins, relays and handlers fail in all ways, with everything logged, it gets into no
log, ledger, mail, dialogue, argument or environment, neither as it is nor in base64.
"""

import base64
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.smtp_server import CUT, SmtpServer
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.processes import using

pytestmark = pytest.mark.system

CANARY = "c4n4ry-Pa55wort+/=!"
WORDS = base64.b64encode(f"\0me\0{CANARY}".encode()).decode()

HANDLER = """#!/usr/bin/env python3
import json, os, subprocess, sys
print(subprocess.run(["env"], capture_output=True, text=True).stdout, sys.argv)
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    actions.write(json.dumps({"action": "reply", "text": "Thanks"}) + "\\n")
"""


def forms():
    """All that could be decoded to it."""
    yield CANARY
    for before in range(3):
        whole = base64.b64encode(b"x" * before + CANARY.encode()).decode().rstrip("=")
        yield whole[4 if before else 0 : -2]


def assert_hidden(where, content):
    for form in forms():
        assert form.encode() not in content, f"the password is in {where}"


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob")) as running:
        yield running


def section(name, relay):
    return (
        f'[smtp.{name}]\nhost = "127.0.0.1"\nport = {relay.port}\ntls = "implicit"\nuser = "me"\n'
        f'password = {{ file = "canary" }}\nca_file = "{relay.ca_file}"\nfrom = "{name}@example.com"\n'
    )


def traced(daemon, relay_name, code):
    command = [sys.executable, "-m", "watcher", "--config", str(daemon.config), "send", "--through", relay_name]
    words = ["--to", "bob@example.org", "--text", "x", "--trace"]
    done = subprocess.run([*command, *words], capture_output=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_canary_is_nowhere(server, tmp_path):
    with SmtpServer(auth="PLAIN") as bad, SmtpServer(auth="LOGIN") as good:
        bad.password = good.password = CANARY
        bad.on("AUTH", f"535 5.7.8 no: {CANARY} {WORDS}\r\n".encode(), times=2)
        good.on("AUTH", CUT)
        settings = (
            section("alice", bad) + section("desk", good) + '[alerts]\nto = ["admin@example.net"]\nsmtp = "desk"\n'
        )
        (tmp_path / "canary").touch(mode=0o600)
        (tmp_path / "canary").write_text(CANARY)
        accounts = [Watched("alice"), Watched("bob")]
        daemon = Daemon(tmp_path, server, accounts, handlers={"h": HANDLER}, settings=settings)
        text = daemon.config.read_text().replace("[watcher]\n", '[watcher]\nlog = "debug"\n')
        head, bob, tail = text.partition("[account.bob]")
        daemon.config.write_text(
            head + bob + tail.replace('file = "' + str(tmp_path / "password"), 'file = "canary', 1)
        )
        trace = traced(daemon, "desk", 1) + traced(daemon, "alice", 1)  # cut in AUTH, then refused in its own words
        assert trace.count(b"***") > 2
        with daemon:
            server.deliver(
                "alice",
                b"Return-Path: <p@example.org>\r\nFrom: p@example.org\r\nTo: x@example.com\r\nSubject: s\r\n"
                b"Message-ID: <1@example.org>\r\n\r\nHello\r\n",
            )
            daemon.until(lambda: "refused" in daemon.states().get("bob/INBOX", ""), 60, "the refusal of bob")
            daemon.until(lambda: any(b"535" in mail.data for mail in good.mails) or good.mails, 60, "an alert")
            daemon.until(lambda: held(daemon), 60, "the refusal of the answer")
            (letter,) = held(daemon)
            trace += daemon.command("outbox", "show", str(letter["id"])).encode()
            trace += daemon.command("status", "--json").encode() + json.dumps(daemon.ask("jobs")).encode()
            for pid in using(tmp_path):
                for kind in ("cmdline", "environ"):
                    assert_hidden(f"{kind} of a process", Path(f"/proc/{pid}/{kind}").read_bytes())
            assert daemon.stop() == 0
        trace += traced(daemon, "desk", 0)
        assert_hidden("what commands print", trace)
        for mail in good.mails:
            assert_hidden("an alert", mail.data)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != tmp_path / "canary"]
    assert {"daemon.log", "ledger.db", "message.eml"} <= {path.name for path in files}
    for path in files:
        assert_hidden(path, path.read_bytes())
    assert b"DEBUG" in (tmp_path / "daemon.log").read_bytes()
    assert b"535 5.7.8 no: ***" in trace


def test_a_core_of_it_is_not_written(server, tmp_path, unlimited_cores):
    """It has the password in its memory when it crashes; another process leaves a core in just this place."""
    with SmtpServer() as relay:
        relay.password = CANARY
        daemon = Daemon(tmp_path, server, [Watched("alice")], settings=section("alice", relay))
        (tmp_path / "canary").touch(mode=0o600)
        (tmp_path / "canary").write_text(CANARY)
        with daemon:
            daemon.until(daemon.is_live, 60, "a link that idles")
            daemon.command("send", "--to", "bob@example.org", "--text", "x")
            daemon.until(lambda: relay.mails, 60, "the mail to go out")
            os.kill(daemon.pid, signal.SIGSEGV)
            assert daemon.ends_within(60)
        assert cores(tmp_path) == []
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    subprocess.run([sys.executable, "-c", crash], cwd=tmp_path, timeout=60, check=False)
    assert cores(tmp_path) or Path("/proc/sys/kernel/core_pattern").read_text()[0] in "|/"


@pytest.fixture
def unlimited_cores():
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def cores(place):
    return [path for path in place.rglob("core*") if path.is_file()]


def held(daemon):
    """The answer, once its relay has refused the password."""
    rows = daemon.ask("jobs", kind="send", account="alice")
    return [row for row in rows if "535" in row["reason"]]
