"""`send` and `outbox` as a person or a script uses them, with a scripted relay; one of them in a process of its own."""

import json
import os
import subprocess
import sys
from email import message_from_bytes, policy

import pytest

from tests.cli.inside import Done, run_inside
from tests.fakes.smtp_server import SmtpServer

CANARY = "canary-Pa55wort!"


def run_outside(*arguments, stdin):
    command = [sys.executable, "-m", "watcher", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def server():
    with SmtpServer() as running:
        running.password = CANARY
        yield running


@pytest.fixture
def run(tmp_path, server):
    (tmp_path / "password").write_text(CANARY)
    (tmp_path / "password").chmod(0o600)
    config = tmp_path / "config.toml"
    config.write_text(
        '[account.support]\naddress = "ann@example.com"\npassword = { file = "password" }\n'
        f'[smtp.support]\nhost = "127.0.0.1"\nport = {server.port}\ntls = "implicit"\nuser = "me"\n'
        f'ca_file = "{server.ca_file}"\nfrom = "Ann <ann@example.com>"\n'
        f'[watcher]\nstate = "{tmp_path}/state"\nhandlers = "."\n'
    )
    config.chmod(0o600)

    def command(*words, stdin=b"", code=0, inside=run_inside):
        done = inside("--config", str(config), *words, stdin=stdin)
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        assert CANARY not in told
        assert "Traceback" not in told
        return done.stdout if code == 0 else told

    return command


def test_a_mail_of_options_goes_out_and_is_on_record(run, server, tmp_path):
    (tmp_path / "发票.pdf").write_bytes(b"%PDF")
    told = run(
        *("send", "--to", "bob@example.org", "--bcc", "eve@example.net", "--subject", "Grüße 🧾"),
        *("--text", "Hello", "--html", "<p>Hello", "--attach", str(tmp_path / "发票.pdf")),
    )
    assert "bob@example.org: done" in told
    (mail,) = server.mails
    assert mail.recipients == ("bob@example.org", "eve@example.net")
    read = message_from_bytes(mail.data, policy=policy.default)
    assert (read["From"], read["To"], read["Subject"]) == ("Ann <ann@example.com>", "bob@example.org", "Grüße 🧾")
    assert [part.get_filename() for part in read.iter_attachments()] == ["发票.pdf"]
    entries = json.loads(run("outbox", "list", "--json"))
    assert {(entry["target"], entry["state"]) for entry in entries} == {
        ("bob@example.org", "sent"),
        ("eve@example.net", "sent"),
    }


def test_a_ready_mail_comes_from_standard_input(run, server):
    eml = b"From: Ann <ann@example.com>\nTo: bob@example.org\nBcc: eve@example.net\nSubject: Hi\n\n.\nline\n"
    run("send", stdin=eml, inside=run_outside)
    (mail,) = server.mails
    assert mail.recipients == ("bob@example.org", "eve@example.net")
    assert b"Bcc" not in mail.data
    assert mail.data.endswith(b"\r\n\r\n.\r\nline\r\n")
    assert message_from_bytes(mail.data)["Message-ID"]


def test_trace_shows_the_talk_without_the_secret(run):
    told = run("send", "--to", "bob@example.org", "--text", "x", "--trace")
    assert "C: AUTH PLAIN ***" in told
    assert "C: MAIL FROM:<ann@example.com>" in told
    assert "sent to bob@example.org" in told


def test_a_refusal_is_told_kept_and_can_be_brought_back(run, server):
    server.on("RCPT", b"550 5.1.1 no such user\r\n")
    told = run("send", "--to", "bob@example.org", "--text", "x", code=1)
    assert "550 5.1.1 no such user" in told
    (entry,) = json.loads(run("outbox", "list", "--status", "dead", "--json"))
    shown = run("outbox", "show", str(entry["id"]))
    assert "S: 550 5.1.1 no such user" in shown
    assert "AUTH PLAIN ***" in shown
    run("outbox", "retry", str(entry["id"]))
    assert "queued" in run("outbox", "list")
    run("outbox", "drop", str(entry["id"]))


def test_a_wrong_password_is_told_with_its_cure_and_nothing_is_lost(run, server):
    server.password = "another"
    told = run("send", "--to", "bob@example.org", "--text", "x", code=1)
    assert "535" in told
    assert "password" in told
    assert "queued" in run("outbox", "list")


@pytest.mark.parametrize(
    ("words", "stdin", "reason"),
    [
        (("--text", "x"), b"", "no recipient"),
        (("--to", "a@b.c\r\nBcc: x@y.z", "--text", "x"), b"", "is not a mail address"),
        (("--to", "a@b.c", "--text", "x", "--attach", "/nowhere"), b"", "can't be read"),
        (("--to", "a@b.c"), b"hello\n", "is no mail"),
    ],
)
def test_mistakes_are_told_in_a_line(run, server, words, stdin, reason):
    told = run("send", *words, stdin=stdin, code=1)
    assert reason in told
    assert len(told.splitlines()) == 1
    assert server.mails == []


AS_OWNER = """
import os, pathlib
from watcher.cli.send import as_owner
with as_owner(pathlib.Path(".")):
    pathlib.Path("spool").mkdir()
print(os.stat("spool").st_uid, os.geteuid(), os.getegid())
"""


@pytest.mark.skipif(os.geteuid() != 0 and os.environ.get("CI") != "true", reason="only root could write as another")
def test_root_leaves_nothing_that_the_user_of_the_daemon_can_not_read(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    done = subprocess.run([sys.executable, "-c", AS_OWNER], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "65534 0 0\n"
