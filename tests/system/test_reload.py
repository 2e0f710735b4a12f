"""Handlers and the configuration change under a running daemon: no mail is missed, no link falls that need not."""

import json
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Self

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import mail

pytestmark = pytest.mark.system

PACE = 0.05  #: seconds between two mails

RECORD = 'sed -n "s/^X-Case: \\([0-9]*\\).*/{version} \\1/p" message.eml >> {log}'


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob", "carol")) as running:
        yield running


class Flow:
    """Mails that come all the time."""

    def __init__(self, server: Dovecot, user: str) -> None:
        self.server, self.user = server, user
        self.over = threading.Event()
        self.sent = 0
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.over.wait(PACE):
            self.server.deliver(self.user, mail(self.sent).raw)
            self.sent += 1

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def replace(path: Path, text: str) -> None:
    """As an editor does it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.rename(path)


def status(daemon: Daemon) -> dict:
    return json.loads(daemon.command("status", "--json"))


def logins(server: Dovecot, user: str) -> int:
    """Of this user so far; those of other programs too."""
    return server.log().count(f"Login: user=<{user}>")


def test_a_handler_is_edited_broken_mended_removed_and_added_while_mail_flows(server, tmp_path):
    log = tmp_path / "runs"

    def script(version: str, rest: str = "") -> str:
        return f"#!/bin/sh\n{RECORD.format(version=version, log=log)}\n{rest}\n"

    def runs() -> Counter[str]:
        return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()

    with Daemon(tmp_path, server, [Watched("alice")], handlers={"record.sh": script("first")}) as daemon:
        handler = tmp_path / "handlers" / "record.sh"
        daemon.until(daemon.is_live, 60, "a link")
        known = logins(server, "alice")
        with Flow(server, "alice") as flow:
            daemon.until(lambda: runs()["first"] > 3, 60, "the first version to run")

            replace(handler, script("edited"))
            daemon.until(lambda: runs()["edited"] > 3, 60, "the edited version to run")

            handler.write_text(script("broken", "if true; then"))  # in place, as `>` does it
            daemon.until(lambda: "record" in status(daemon)["handlers"], 60, "the trouble to be told")
            assert "the version before it still runs" in status(daemon)["handlers"]["record"]
            before = runs()["edited"]
            daemon.until(lambda: runs()["edited"] > before, 60, "the version before it to run on")

            replace(handler, script("mended"))
            daemon.until(lambda: runs()["mended"] > 3, 60, "the mended version to run")
            assert not status(daemon)["handlers"]

            handler.unlink()
            daemon.until(lambda: "record" in status(daemon)["handlers"], 60, "its absence to be told")
            handler.write_text(script("added"))
            handler.chmod(0o755)
            daemon.until(lambda: runs()["added"] > 3, 60, "the added version to run")
        cases = Counter(
            int(line.split()[1]) for line in daemon.until(lambda: complete(log, flow.sent), 90, "all mails")
        )
        assert set(cases) == set(range(flow.sent))
        assert set(cases.values()) == {1}
        assert runs()["broken"] == 0
        daemon.until(lambda: not daemon.unseen(), 60, "all after-actions")
        (folder,) = status(daemon)["folders"]
        assert folder["connects"] == 1
        assert logins(server, "alice") > known  # of the after-actions, so the count counts
        assert daemon.stop() == 0


def complete(log: Path, number: int) -> list[str]:
    lines = log.read_text().splitlines()
    return lines if len(lines) >= number else []


def test_accounts_rules_and_settings_change_and_other_links_live_on(server, tmp_path):
    log = tmp_path / "runs"
    handler = f"#!/bin/sh\n{RECORD.format(version='$WATCHER_ACCOUNT', log=log)}\n"
    with Daemon(tmp_path, server, [Watched("bob")], handlers={"record.sh": handler}) as daemon:
        daemon.until(daemon.is_live, 60, "a link")
        first = daemon.config.read_text()
        carol = first.split("[[rule]]")[0].replace("bob", "carol")

        replace(daemon.config, carol + first)
        daemon.until(lambda: daemon.states().get("carol/INBOX") == "live", 60, "the new account")
        server.deliver("carol", mail(1).raw)
        server.deliver("bob", mail(2).raw)
        daemon.until(lambda: log.exists() and len(log.read_text().splitlines()) == 2, 60, "both mails")
        assert sorted(log.read_text().splitlines()) == ["bob 2", "carol 1"]

        replace(daemon.config, (carol + first).replace("[[rule]]", "[[rule]]\nnonsense = 1"))
        daemon.until(lambda: "stays as it was" in daemon.log(), 60, "the refusal")
        with pytest.raises(subprocess.CalledProcessError) as refused:
            daemon.command("reload")
        assert refused.value.returncode == 78
        assert "nonsense" in refused.value.stderr
        assert "not in force: " in daemon.command("status")
        assert "nonsense" in daemon.command("status")

        replace(daemon.config, first.replace("[[rule]]", "[[rule]]\nwhen = { subject = 'never' }"))
        assert "all is in force" in daemon.command("reload")
        assert daemon.states() == {"bob/INBOX": "live"}
        (folder,) = status(daemon)["folders"]
        assert folder["connects"] == 1  # through all of it
        server.deliver("bob", mail(3).raw)
        daemon.until(lambda: status(daemon)["folders"][0]["mails"] == 2 or left_out(daemon), 60, "the third mail")
        assert len(log.read_text().splitlines()) == 2

        replace(daemon.config, first.replace('start = "all"', 'start = "all"\npoll = "7s"'))
        daemon.until(lambda: status(daemon)["folders"][0]["connects"] == 1 and daemon.is_live(), 60, "it to come anew")
        server.deliver("bob", mail(4).raw)
        daemon.until(lambda: len(log.read_text().splitlines()) == 3, 60, "the fourth mail")
        assert daemon.stop() == 0


def left_out(daemon: Daemon) -> bool:
    """A mail that no rule wants need not be fetched at all."""
    return any(folder.get("left_out") for folder in status(daemon)["folders"])
