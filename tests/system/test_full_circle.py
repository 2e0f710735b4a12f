"""
The full circle on servers of the distribution: a mail is submitted to Postfix, delivered by LMTP, seen by IDLE,
handled, and answered through Postfix again into the other mailbox.
"""

import json
import subprocess
import sys

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.postfix import DOVECOT_SETTINGS, Postfix

pytestmark = pytest.mark.system

ANSWER = """#!/usr/bin/env python3
import json, os
with open(os.environ["WATCHER_ACTIONS"], "w") as actions:
    actions.write(json.dumps({"action": "reply", "text": "Thanks"}) + "\\n")
"""


@pytest.fixture(scope="module")
def dovecot():
    with Dovecot(users=("alice", "bob"), settings=DOVECOT_SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def postfix(dovecot):
    with Postfix(dovecot) as running:
        yield running


def section(postfix, user, tls):
    port = postfix.port if tls == "starttls" else postfix.tls_port
    return (
        f'[smtp.{user}]\nhost = "127.0.0.1"\nport = {port}\ntls = "{tls}"\nuser = "{user}"\n'
        f'password = {{ file = "password" }}\nca_file = "{postfix.ca_file}"\nfrom = "{user}@example.com"\n'
    )


def configuration_of_bob(tmp_path, postfix, tls):
    """Of another state than the daemon's: it sends nothing because of a mail of its own."""
    folder = tmp_path / "bob"
    folder.mkdir()
    (folder / "password").write_text(postfix.password)
    (folder / "password").chmod(0o600)
    account = '[account.bob]\naddress = "bob@example.com"\npassword = { file = "password" }\n'
    (folder / "config.toml").write_text(account + section(postfix, "bob", tls) + '[watcher]\nstate = "state"\n')
    return folder / "config.toml"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_sent_delivered_seen_handled_and_answered(dovecot, postfix, tmp_path, tls):
    settings = section(postfix, "alice", tls)
    sender = configuration_of_bob(tmp_path, postfix, tls)
    before = len(dovecot.flags("bob"))
    with Daemon(tmp_path, dovecot, [Watched("alice")], handlers={"answer": ANSWER}, settings=settings) as daemon:
        command = [sys.executable, "-m", "watcher", "--config", sender, "send", "--trace"]
        words = ["--to", "alice@example.com", "--subject", f"Grüße {tls}", "--text", "Hello"]
        done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + postfix.log()
        assert dovecot.password not in done.stdout
        assert ("STARTTLS" in done.stdout) == (tls == "starttls")
        daemon.until(lambda: len(dovecot.flags("bob")) > before, 60, "the answer in the other mailbox")
        kept = dovecot.flags("alice")
        legs = json.loads(daemon.command("doctor", "alice", "--circle", "--no-write", "--json"))[0]["findings"]
        told = {leg["step"]: leg["text"] for leg in legs if leg["step"] in {"sent", "arrived", "handled"}}
        assert told == {
            "sent": "127.0.0.1 has taken a mail to alice@test.example",
            "arrived": "in INBOX, told by IDLE",
            "handled": "handled by answer: done",
        }
        assert all(leg["took"] > 0 for leg in legs if leg["step"] in told)
        assert dovecot.flags("alice").keys() == kept.keys(), "the mail of the trial is removed again"
        assert daemon.stop() == 0


def test_a_canary_comes_round_and_goes_again(dovecot, postfix, tmp_path):
    """Though the one rule is not for it, so that a mail like it is not even fetched."""
    settings = section(postfix, "alice", "starttls")
    before = dovecot.flags("alice")
    account = Watched("alice", settings='canary = "15m"\n')
    prepared = Daemon(tmp_path, dovecot, [account], handlers={"answer": ANSWER}, settings=settings)
    text = prepared.config.read_text()
    prepared.config.write_text(text.replace("[[rule]]\n", '[[rule]]\nwhen = { subject = "order" }\n'))
    with prepared as daemon:
        daemon.until(lambda: [song for song in songs(daemon) if song["age"] is not None], 60, "the canary")
        [song] = songs(daemon)
        assert (song["account"], song["missing"]) == ("alice", "")
        assert 0 < song["took"] < 60
        daemon.until(lambda: [job.status for job in daemon.jobs() if job.kind == "after"] == ["done"], 60, "its end")
        assert dovecot.flags("alice").keys() <= before.keys()
        assert sorted(job.kind for job in daemon.jobs()) == ["after", "send", "unpack"]
        assert "alice: the canary came in " in daemon.command("status")


def songs(daemon):
    return daemon.ask("status")["canaries"] if daemon.states() else []
