"""What is erased is gone: no byte of it stays in the state, while all else goes on and nothing is handled again."""

import base64
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.smtp_server import SmtpServer
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot

pytestmark = pytest.mark.system

ADDRESS, IDENTITY = "canary.person@example.org", "canary-identity@mailer.example.org"
WORDS = (ADDRESS, IDENTITY, "canary subject", "canary of the body", "canary within the attachment")

#: Prints all that it sees, answers with a quote, and is through.
TELL = """#!/usr/bin/env python3
import json, os, pathlib
mail = json.load(open("message.json"))
print(pathlib.Path("message.eml").read_text(), mail)
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    actions.write(json.dumps({"action": "reply", "text": mail["subject"] + open("body.txt").read()}) + "\\n")
"""
#: Tell what they fail on: one for now and on four mails, one for good.
LATER = "#!/bin/sh\ngrep -q 'body, 2*[07]' body.txt || exit 0\ncat body.txt >&2\nexit 75\n"
DEAD = "#!/bin/sh\ncat message.eml\ncat body.txt >&2\nexit 100\n"
WHILE_THE_DAEMON_LIVES = 'while test -d "/proc/$PPID"; do sleep 0.1; done\n'
KEEPS = '#!/bin/sh\ncp message.eml "$WATCHER_STATE/mine"\n'


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob", "carol")) as running:
        yield running


def mail(number: int, sender: str, identity: str, word: str) -> bytes:
    attachment = base64.encodebytes(f"{word} within the attachment, {number}".encode()).decode().replace("\n", "\r\n")
    filler = f"{word} of the body, {number}\r\n" * 40
    return (
        f"Return-Path: <{sender}>\r\nFrom: Somebody <{sender}>\r\nTo: x@example.com\r\nSubject: {word} subject\r\n"
        f"Message-ID: <{identity}>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\n{filler}\r\n"
        "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="x.bin"\r\n\r\n{attachment}\r\n--b--\r\n'
    ).encode()


def forms(word: str) -> list[bytes]:
    """How it may be written: as it is, in base64 at each of the three offsets, in quoted-printable, in UTF-16."""
    plain = word.encode()
    shifted = [base64.b64encode(b"x" * offset + plain)[4 if offset else 0 : -4] for offset in range(3)]
    return [plain, *shifted, plain.replace(b" ", b"=20"), word.encode("utf-16-le")]


def found(state: Path, word: str) -> list[str]:
    """The files in which it stands in any form."""
    files = [path for path in state.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(form in path.read_bytes() for form in forms(word))]


def remains(state: Path) -> dict[str, list[str]]:
    return {word: files for word in WORDS if (files := found(state, word))}


def statuses(daemon: Daemon) -> Counter[str]:
    return Counter(job.status for job in daemon.jobs() if job.kind == "job")


def settings(relay: SmtpServer) -> str:
    return (
        f'[smtp.alice]\nhost = "127.0.0.1"\nport = {relay.port}\ntls = "implicit"\nuser = "me"\n'
        f'password = {{ env = "RELAY" }}\nca_file = "{relay.ca_file}"\nfrom = "alice@example.com"\n'
        '[handler.tell]\norder = "per-sender"\n'
    )


@pytest.fixture
def daemon(server, tmp_path):
    """Of thirty mails ten are of the person that is to be forgotten, mixed with those of others."""
    handlers = {"tell": TELL, "later": LATER, "dead": DEAD}
    with SmtpServer() as relay:
        running = Daemon(tmp_path, server, [Watched("alice")], handlers=handlers, settings=settings(relay))
        running.environment["RELAY"] = relay.password
        with running:
            for number in range(30):
                person = (ADDRESS, f"{number}.{IDENTITY}", "canary")
                other = (f"p{number}@example.net", f"{number}@example.net", "ordinary")
                server.deliver("alice", mail(number, *(other if number % 3 else person)))
            running.until(lambda: statuses(running)["dead"] == 30, 90, "the dead letters")
            running.until(lambda: statuses(running)["done"] == 56, 90, "what went well")
            running.until(
                lambda: not running.ask("status")["work"]["send"].keys() & {"waiting", "running"}, 90, "letters"
            )
            yield running


def test_every_byte_of_a_person_is_gone(daemon, server):
    assert remains(daemon.state).keys() == set(WORDS), "else the search finds nothing, ever"
    listed = json.loads(daemon.command("erase", "--sender", ADDRESS, "--dry-run", "--json"))
    assert [trace["letter"] for trace in listed["found"]].count(0) == 10
    assert [trace["letter"] for trace in listed["found"]].count(1) == 10
    told = daemon.command("erase", "--sender", ADDRESS.upper(), "--yes")
    assert told.endswith("20 found, 20 erased\n")
    assert not remains(daemon.state)

    assert found(daemon.state, "ordinary of the body"), "what others wrote is kept"
    assert ADDRESS not in daemon.command("tail", "--no-follow", "-n", "500")
    before = sorted(job.mail for job in daemon.jobs())
    server.deliver("alice", mail(99, "new@example.net", "99@example.net", "ordinary"))
    daemon.until(lambda: len(daemon.jobs()) >= len(before) + 6, 60, "the next mail, its jobs and its answer")
    assert daemon.stop() == 0
    assert not remains(daemon.state)
    daemon.start()
    daemon.until(daemon.is_live, 60, "the next life")
    assert not set(before) - {job.mail for job in daemon.jobs()}
    assert not remains(daemon.state), "nothing is fetched again"


def test_a_mail_that_is_worked_on_is_waited_for(server, tmp_path):
    waits = f'#!/bin/sh\ntouch "{tmp_path}/begun"\nuntil test -e "{tmp_path}/go"; do sleep 0.1; done\n'
    with Daemon(tmp_path, server, [Watched("bob")], handlers={"waits": waits}) as daemon:
        server.deliver("bob", mail(1, ADDRESS, IDENTITY, "canary"))
        daemon.until((tmp_path / "begun").exists, 60, "the run")
        daemon.until(daemon.jobs, 60, "its answers")
        assert daemon.ask("erase", message_id=f"<{IDENTITY}>")["busy"]
        assert found(daemon.state, IDENTITY)
        command = [
            sys.executable,
            "-m",
            "watcher",
            "--config",
            str(daemon.config),
            "erase",
            "--message-id",
            IDENTITY,
            "--yes",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as erasing:
            assert erasing.poll() is None
            (tmp_path / "go").touch()
            told, _ = erasing.communicate(timeout=60)
        assert told.endswith("1 found, 1 erased\n")
        assert not found(daemon.state, IDENTITY)


def test_it_works_without_a_daemon(server, tmp_path):
    """Also a mail whose job was cut off with the daemon: nobody will ever end it."""
    with Daemon(tmp_path, server, [Watched("carol")], handlers={"tell": KEEPS + WHILE_THE_DAEMON_LIVES}) as daemon:
        server.deliver("carol", mail(1, ADDRESS, IDENTITY, "canary"))
        kept = daemon.state / "handler-state" / "tell" / "mine"
        daemon.until(kept.exists, 60, "the run")
        daemon.kill()
        told = daemon.command("erase", "--sender", ADDRESS, "--yes")
        assert told.endswith(f"still mentioned in {kept}\n1 found, 1 erased\n")
        kept.unlink()
        assert not remains(daemon.state)
        assert daemon.command("erase", "--sender", ADDRESS, "--yes") == "0 found, nothing was changed\n"
