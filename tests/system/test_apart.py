"""Handlers kept apart in a daemon that runs: what they can't reach, and what is said of one that can't run or fails."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import mail
from watcher.store.removal import discard

pytestmark = pytest.mark.system

#: Fails if anything can be read that is not its own; asks for a change if nothing can.
SPY = """#!/bin/sh
for path in {home}/password {home}/state/ledger.db {home}/state/spool/* {home}/state/control.sock; do
    [ "$path" = "$PWD" ] || [ ! -r "$path" ] || exit 100
done
grep -q . message.eml && cat "$WATCHER_SECRETS/token" &&
    echo '{{"action": "flag", "flag": "$Seen{name}"}}' >> "$WATCHER_ACTIONS"
"""
WARM = """
import os
from pathlib import Path
TOKEN = Path(os.environ["WATCHER_SECRETS"], "token").read_text()
def handle(message):
    assert not Path("{home}/password").exists()
    assert TOKEN == "hunter2" and message.raw
    message.flag("$SeenWarm")
"""
LEVELS = {"boxed": 'isolation = "sandbox"', "warm": 'isolation = "sandbox"'}
if os.geteuid() == 0:
    LEVELS["own"] = 'isolation = "user"\nuser = "games"'


@pytest.fixture
def home():
    """A directory that other users can enter, which those of pytest are not."""
    path = Path(tempfile.mkdtemp(prefix="watcher-apart-"))
    path.chmod(0o755)
    yield path
    discard(path)


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob", "carol")) as running:
        yield running


def trouble(daemon):
    """What is said of the handler `book`."""
    daemon.jobs()  # waits until it answers
    return daemon.ask("status")["handlers"].get("book", "")


def test_each_level_does_its_work_and_reaches_nothing_else(server, home):
    token = home / "token"
    token.touch(mode=0o600)
    token.write_text("hunter2\n")
    handlers = {
        ("warm.py" if name == "warm" else name): (WARM if name == "warm" else SPY).format(home=home, name=name)
        for name in LEVELS
    }
    secrets = 'secrets = { token = { file = "token" } }'
    settings = "\n".join(f"[handler.{name}]\n{level}\n{secrets}\n" for name, level in LEVELS.items())
    with Daemon(home, server, [Watched("alice")], handlers=handlers, settings=settings) as daemon:
        for number in range(3):
            server.deliver("alice", mail(number).raw)
        daemon.until(lambda: len(daemon.jobs()) >= 3 * len(LEVELS), 60, "all jobs")
        daemon.until(lambda: {job.status for job in daemon.jobs()} <= {"done", "dead"}, 60, "their ends")
        assert {(job.name, job.status) for job in daemon.jobs()} >= {(name, "done") for name in LEVELS}
        assert daemon.stop() == 0
    assert not list((home / "state" / "scratch").iterdir())
    assert "hunter2" not in (home / "daemon.log").read_text()


def test_one_that_can_not_run_is_paused_told_once_and_goes_on_when_mended(server, home):
    handlers = {"book": "#!/bin/sh\necho no address; exit 78\n"}
    with Daemon(
        home, server, [Watched("bob")], handlers=handlers, settings="[handler.book]\nbackoff = 0.2\n"
    ) as daemon:
        for number in range(5):
            server.deliver("bob", mail(number).raw)
        reason = "paused, its mail waits: exit 78 (configuration error): no address"
        daemon.until(lambda: trouble(daemon) == reason, 60, "its pause in status")
        daemon.until(lambda: len([job for job in daemon.jobs() if job.name == "book"]) == 5, 60, "its jobs")
        book = home / "handlers" / "new"
        book.write_text("#!/bin/sh\nexit 0\n")
        book.chmod(0o755)
        book.rename(home / "handlers" / "book")
        daemon.until(lambda: {job.status for job in daemon.jobs()} == {"done"}, 60, "its mail to be handled")
        assert trouble(daemon) == ""
        assert daemon.stop() == 0
    lines = (home / "daemon.log").read_text().splitlines()
    assert len([line for line in lines if "on hold" in line]) == 1, lines


def test_one_that_always_fails_keeps_the_attempts_of_its_mail(server, home):
    settings = "[handler.book]\nbackoff = 0.2\nbackoff_cap = 1\nattempts = 3\n"
    with Daemon(
        home, server, [Watched("carol")], handlers={"book": "#!/bin/sh\nexit 75\n"}, settings=settings
    ) as daemon:
        for number in range(30):
            server.deliver("carol", mail(number).raw)
        daemon.until(lambda: "failed on 10 mails" in trouble(daemon), 60, "its fuse to blow")
        daemon.until(lambda: len([job for job in daemon.jobs() if job.name == "book"]) == 30, 60, "all jobs")
        jobs = daemon.jobs()
        assert not [job for job in jobs if job.status == "dead"]
        assert daemon.stop() == 0
