"""`status` proves that each folder is watched: when its server spoke, when it was looked through, what came last."""

import json
import re

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import mail

pytestmark = pytest.mark.system


def test_the_newest_mail_and_how_soon_it_was_handled(tmp_path):
    with (
        Dovecot(users=("alice", "bob")) as server,
        Daemon(tmp_path, server, [Watched("alice"), Watched("bob")], handlers={"note": "#!/bin/sh\n"}) as daemon,
    ):
        daemon.until(daemon.is_live, 60, "the links")
        assert "newest" not in daemon.command("status")
        server.deliver("alice", mail(1).raw)
        daemon.until(lambda: "done" in {job.status for job in daemon.jobs() if job.name == "note"}, 60, "its run")
        told = {folder["account"]: folder for folder in json.loads(daemon.command("status", "--json"))["folders"]}
        assert 0 <= told["alice"]["newest"]["lag"] <= told["alice"]["newest"]["age"] < 300
        assert told["alice"]["silence"] == told["bob"]["silence"] == ""
        assert told["bob"]["newest"] is None
        line = daemon.command("status").splitlines()[0]
        seconds = r"[\d.]+ (s|min)"
        wanted = (
            rf"heard {seconds} ago, looked through {seconds} ago, 1 mails, the newest {seconds} old, handled within"
        )
        assert re.search(wanted, line), line
        assert daemon.stop() == 0
        daemon.start()
        daemon.until(daemon.is_live, 60, "the next life")
        assert daemon.ask("status")["folders"][0]["newest"]["lag"] == told["alice"]["newest"]["lag"], "it is kept"
