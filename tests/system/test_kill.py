"""
Killed at any moment, the daemon loses nothing and repeats only what it interrupted; and this test can tell.

It can tell, since the same run on a copy of the package with one seeded bug is found to be broken.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.system.daemon import CALLS, Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import Phase, python_handler, shell_handler
from tests.system.kills import Churn, churn, conclude
from tests.system.mutants import Mutant, with_bug

pytestmark = pytest.mark.system
AT_ONCE = 4  #: daemons
DOZENS = 7  #: of kills for a seeded bug, at most: each finds it more often than not
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


def survives(home, plan):
    """One daemon outlives the plan; how often handlers ran."""
    home.mkdir(exist_ok=True)
    with dovecot() as server, daemon_on(server, home) as daemon:
        assert maltreat(daemon, plan, within=300) == []
        return sum(event.phase is Phase.START for event in daemon.events())


def test_nothing_is_lost_or_repeated(tmp_path):
    survives(tmp_path, Churn(mails=150, kills=15, seed=1))


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_nothing_is_lost_or_repeated_in_a_thousand_kills(tmp_path):
    """By twenty daemons, a few at a time: most of a short life is waiting."""
    plans = [Churn(mails=500, kills=49, seed=seed) for seed in range(100, 120)]  # and one more before the first life
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = sum(pool.map(lambda plan: survives(tmp_path / f"{plan.seed}", plan), plans))
    kills, wanted = sum(plan.kills + 1 for plan in plans), sum(2 * plan.mails for plan in plans)
    print(f"{kills} kills, {wanted} jobs, {runs} runs, {runs - wanted} of them again")  # noqa: T201


@dataclass(frozen=True, slots=True)
class Seeded:
    """A bug, and how to find it."""

    mutant: Mutant
    calls: tuple[str, ...]  #: system calls near the place where it hurts
    words: str  #: what the checker must say


FOLLOW = "follow(db, work.id, now)"
MUTANTS = {
    # The cursor alone would do no harm, as every search looks back; with it goes what keeps that from fetching twice.
    "cursor moved before store": Seeded(
        Mutant(
            "inbox/receive.py",
            "    arrivals: list[Arrival] = []\n",
            "    arrivals: list[Arrival] = []\n"
            "    seen = [Blank(uid, '', None) for uid in uids]\n"
            "    folders.receive(replace(cursor, next_uid=uids[-1] + 1), [], seen, now)\n",
        ),
        ("fsync", "mkdir"),
        "never reached",
    ),
    "after-action in its own transaction": Seeded(
        Mutant("store/ledger.py", FOLLOW, f"self.database.submit(lambda db: {FOLLOW})"),
        ("pwrite64",),
        "is waiting",
    ),
    "no recovery of running jobs": Seeded(
        Mutant("store/ledger.py", "status = 'running' AND boot <> ?", "status = 'running' AND boot = ?"),
        CALLS,
        "is running",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_found(tmp_path, name):
    """Within 12 kills mostly; more dozens make sure."""
    seeded = MUTANTS[name]
    package = with_bug(seeded.mutant, tmp_path)
    found = []
    for seed in range(3, 3 + DOZENS):
        home = tmp_path / f"home-{seed}"
        home.mkdir()
        plan = Churn(mails=150, kills=12, seed=seed, calls=seeded.calls)
        with dovecot() as server, daemon_on(server, home, package) as daemon:
            found = maltreat(daemon, plan, within=15)
        if any(seeded.words in line for line in found):
            return
    pytest.fail(f"{12 * DOZENS} kills and nothing but {found}")
