"""
Killed at any moment, the daemon loses nothing and repeats only what it interrupted; and this test can tell.

It can tell, since the same run on a copy of the package with one seeded bug is found to be broken.
"""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import watcher
from tests.system.daemon import CALLS, Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import Phase, python_handler, shell_handler
from tests.system.kills import Churn, churn, conclude

pytestmark = pytest.mark.system
USERS = ("alice", "bob", "carol")
ACCOUNTS = [Watched(user, ("INBOX", "Orders")) for user in USERS]


@contextmanager
def dovecot():
    with Dovecot(users=USERS) as running:
        for user in USERS:
            running.create(user, "Orders")
        yield running


def maltreat(daemon, plan, within):
    """What is wrong after all kills."""
    daemon.kill()
    assert list(churn(daemon, plan))[-1] == plan.kills
    return conclude(daemon, plan, within)


def daemon_on(server, home, package=None):
    """Its handlers take a moment, so that kills find them at work."""
    log = home / "handlers.log"
    handlers = {
        "shell": shell_handler("shell", log, "sleep 0.03"),
        "python.py": python_handler("python", log, "time.sleep(0.02)"),
    }
    return Daemon(home, server, ACCOUNTS, handlers=handlers, package=package)


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Churn(mails=150, kills=15, seed=1), id="15 kills"),
        pytest.param(Churn(mails=1000, kills=100, seed=2), id="100 kills", marks=[pytest.mark.soak]),
    ],
)
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_repeated(tmp_path, plan):
    with dovecot() as server, daemon_on(server, tmp_path) as daemon:
        assert maltreat(daemon, plan, within=120) == []
        starts = [event for event in daemon.events() if event.phase is Phase.START]
    again = len(starts) - 2 * plan.mails
    print(f"{plan.kills + 1} kills, {plan.mails} mails, {len(starts)} runs, {again} of them again")  # noqa: T201


@dataclass(frozen=True, slots=True)
class Mutant:
    """One seeded bug, and how to find it."""

    file: str  #: of the package
    before: str  #: what stands there
    after: str  #: what it becomes
    calls: tuple[str, ...]  #: system calls near the place where it hurts
    words: str  #: what the checker must say


FOLLOW = "follow_job(db, work, outcome, decision.status, now)"
MUTANTS = {
    # The cursor alone would do no harm, as every search looks back; with it goes what keeps that from fetching twice.
    "cursor moved before store": Mutant(
        "inbox/receive.py",
        "    folders, spool = reception.folders, reception.spool\n",
        "    folders, spool = reception.folders, reception.spool\n"
        "    seen = [Blank(uid, '', None) for uid in uids]\n"
        "    folders.receive(replace(cursor, next_uid=uids[-1] + 1), [], seen, now)\n",
        ("fsync", "mkdir"),
        "never reached",
    ),
    "after-action in its own transaction": Mutant(
        "store/ledger.py",
        FOLLOW,
        f"self.database.submit(lambda db: {FOLLOW})",
        ("pwrite64",),
        "is waiting",
    ),
    "no recovery of running jobs": Mutant(
        "store/ledger.py", "status = 'running' AND boot <> ?", "status = 'running' AND boot = ?", CALLS, "is running"
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_found(tmp_path, name):
    """Within 12 kills nearly always; a second and third dozen make sure."""
    package = with_bug(MUTANTS[name], tmp_path)
    found = []
    for seed in (3, 4, 5):
        home = tmp_path / f"home-{seed}"
        home.mkdir()
        plan = Churn(mails=150, kills=12, seed=seed, calls=MUTANTS[name].calls)
        with dovecot() as server, daemon_on(server, home, package) as daemon:
            found = maltreat(daemon, plan, within=15)
        if any(MUTANTS[name].words in line for line in found):
            return
    pytest.fail(f"36 kills and nothing but {found}")


def with_bug(mutant, directory):
    """A copy of the package with the one change; the directory it lies in."""
    copy = directory / "package"
    shutil.copytree(Path(watcher.__file__).parent, copy / "watcher", ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "watcher" / mutant.file
    source = file.read_text()
    assert source.count(mutant.before) == 1, f"{mutant.file} no longer holds what the mutant changes"
    file.write_text(source.replace(mutant.before, mutant.after))
    return copy
