"""Random faults on many lines, for an hour or SOAK_MINUTES: no mail is lost, and the daemon grows no bigger."""

import logging
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from random import Random
from time import monotonic

import pytest

from tests.fakes.fault_proxy import Fault, Phase
from tests.system.cells import Cell, front
from tests.system.dovecot import Dovecot
from tests.system.processes import descendants, memory_of, usage

pytestmark = [pytest.mark.system, pytest.mark.soak]

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
ACCOUNTS = [f"user-{number}" for number in range(8)]
EVERY = 5.0  #: seconds between two looks at what the daemon uses
WORKERS = 8  #: of the stages, each of which starts one more where all of its own are busy
ONE = "[handler.python]\nconcurrency = 1\n"  #: a second warm process of it comes and goes, and has 7 MB
GROWTH = 1.05  #: of memory, at most, from the second quarter to the last

log = logging.getLogger(__name__)


def weather(tried, account, until):
    """One random fault after the other on this account's line."""
    rnd = Random(account)
    while monotonic() < until:
        tried.endure(account, Cell(rnd.choice(list(Fault)), rnd.choice(list(Phase))))


@pytest.mark.timeout(MINUTES * 60 + 900)
def test_an_hour_of_random_faults(tmp_path):
    samples = []
    with Dovecot(users=ACCOUNTS) as server, front(tmp_path, server, ACCOUNTS, ONE) as tried:
        before = tried.warm_up()
        end = monotonic() + MINUTES * 60
        with ThreadPoolExecutor(len(ACCOUNTS)) as hands:
            weathers = [hands.submit(weather, tried, account, end) for account in ACCOUNTS]
            while monotonic() < end and not tried.daemon.ends_within(EVERY):
                now = usage(tried.daemon.pid)
                whole = memory_of(descendants(tried.daemon.pid)).anonymous
                samples.append((now.rss, whole, now.descriptors, now.threads))
        for one in weathers:
            one.result()
        rss, whole, descriptors, threads = (quarters(list(column)) for column in zip(*samples, strict=True))
        log.info("%d faults, rss %s, of all, shared with no stranger, %s", len(tried.healed), rss, whole)
        log.info("descriptors %s, threads %s", descriptors, threads)
        tried.daemon.until(tried.daemon.is_live, 90, "all links to idle again")
        tried.leaves_nothing(before, later=WORKERS)
        jobs = tried.daemon.settled(tried.cases, within=60)
        assert tried.daemon.verdict(tried.cases, jobs, tried.daemon.unseen()) == []
    assert rss[3] <= GROWTH * rss[1]
    assert whole[3] <= GROWTH * whole[1]
    assert descriptors[3] <= descriptors[1] + 2  # links come and go all the time
    assert threads[3] <= threads[1] + WORKERS  # the one time that all of a stage are busy may come late


def quarters(values):
    """The median of each quarter."""
    size = len(values) // 4
    return [statistics.median(values[size * number : size * (number + 1)]) for number in range(4)]
