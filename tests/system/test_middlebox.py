"""Middle boxes that end idle links, with a word or without: their limit is learnt, and costs no mail."""

import os

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.haproxy import HAProxy
from tests.system.mails import mail
from tests.system.own_network import MiddleBox, in_own_network

pytestmark = pytest.mark.system

IDLE = 5  #: seconds that HAProxy lets a link be silent
DROPS = 20
ANSWER = 15.0  #: seconds that the daemon waits for the answer to DONE
RENEW = 5  #: seconds of IDLE, where the limit is not to be learnt
BUSY = 30.0  #: seconds that all else may take on a busy machine

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true", reason="makes a network namespace: needs root"
)


def folders(daemon):
    """What `status` tells of each folder."""
    return daemon.ask("status")["folders"]


def interval(daemon):
    """The longest renewal, in seconds; 0.0 unless all links idle."""
    told = folders(daemon) if daemon.is_live() else []
    return max(each["renewal"] for each in told) if told and all(each["state"] == "live" for each in told) else 0.0


def connects(daemon):
    return sum(told["connects"] for told in folders(daemon))


def stands(daemon, seconds):
    """Whether no link dies within so long."""
    before = connects(daemon)
    assert not daemon.ends_within(seconds)
    return connects(daemon) == before


def test_haproxy_s_limit_is_learnt_and_20_drops_cost_no_mail(tmp_path):
    users = ("alice", "bob")
    with Dovecot(users=users) as server, HAProxy(tmp_path / "haproxy", server.port, idle=IDLE) as proxy:
        accounts = [Watched(user, relay=(proxy.host, proxy.port)) for user in users]
        with Daemon(tmp_path, server, accounts) as daemon:
            daemon.until(lambda: 0 < interval(daemon) < IDLE, 90, "the limit to be learnt")

            learnt = interval(daemon)
            # Again if need be: on a busy machine we may be late, or HAProxy.
            daemon.until(lambda: stands(daemon, 4 * IDLE), 90, "a while in which no link dies")

            for case in range(DROPS):
                user = users[case % 2]
                if case % 4 < 2:
                    server.deliver(user, mail(case).raw)
                    proxy.cut()
                else:
                    proxy.cut()
                    server.deliver(user, mail(case).raw)
                daemon.handled([case], within=learnt + ANSWER)
            jobs = daemon.settled(range(DROPS), within=60)
            daemon.until(lambda: not daemon.unseen(), 60, "all mails to be marked as read")
            assert daemon.verdict(range(DROPS), jobs) == []


@needs_root
def test_links_that_are_forgotten_without_a_word_are_found_and_replaced(tmp_path):
    def forgotten_again_and_again():
        box = MiddleBox()
        account = Watched("alice", settings=f'renew = "{RENEW}s"')
        with Dovecot() as server, Daemon(tmp_path, server, [account]) as daemon:
            for case in range(2):
                daemon.until(daemon.is_live, 60, "the link to idle")
                assert box.forget(server.port) > 0
                server.deliver("alice", mail(case).raw)
                daemon.handled([case], within=RENEW + ANSWER + BUSY)
            jobs = daemon.settled(range(2), within=60)
            assert daemon.verdict(range(2), jobs) == []

    in_own_network(forgotten_again_and_again)


@needs_root
@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_limit_of_45_seconds_that_nobody_tells_is_learnt(tmp_path):
    limit = 45

    def live_with_it():
        MiddleBox(idle=limit)
        with Dovecot() as server, Daemon(tmp_path, server, [Watched("alice")]) as daemon:
            daemon.until(lambda: interval(daemon), 60, "the link to idle")
            daemon.until(lambda: 0 < interval(daemon) < limit, 420, "the limit to be learnt")
            learnt, before = interval(daemon), connects(daemon)
            for case in range(4):
                assert not daemon.ends_within(limit + case * 7)
                server.deliver("alice", mail(case).raw)
                daemon.handled([case], within=learnt + ANSWER)
            assert connects(daemon) == before, "the link died although its limit was known"
            jobs = daemon.settled(range(4), within=60)
            assert daemon.verdict(range(4), jobs) == []

    in_own_network(live_with_it)
