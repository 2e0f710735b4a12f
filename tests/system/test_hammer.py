"""A server in trouble is not hammered, and takes nothing from the others."""

import logging
import statistics
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event
from time import monotonic

import pytest

from tests.fakes.imap_server import ImapServer, eof
from tests.system.cells import PROMISED
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import python_handler
from tests.system.mails import KINDS, mail
from tests.system.relay import Cut, Relay
from watcher.errors import MailboxLost
from watcher.inbox.pace import Tries
from watcher.inbox.patience import Patience

pytestmark = pytest.mark.system

MOST_LOGINS = 20  #: in the first ten minutes, fewer than these
MOST_CONNECTS = 3.0  #: a second, to a dark host
UP = {"live", "catching up"}  #: states of a link that is there: of many, some have just been renewed
LOGINS = 2.0  #: a second, at least, once it is back
SLOWER = 1.5  #: times that the living host's mails may take while the other one is dark

log = logging.getLogger(__name__)

# --- a server that lets us in and drops us --------------------------------------------------------------------------


def tries(seconds, rnd):
    """How often the backoff lets us try within so many seconds, if each try fails at once."""
    so_far, now, lost = Tries(Patience()), 0.0, MailboxLost("dropped")
    while now <= seconds:
        so_far = so_far.after(lost, lived=0.1)
        now += so_far.wait(lost, rnd.random)
    return so_far.losses


def test_the_backoff_allows_few_logins_in_ten_minutes():
    assert max(tries(600, Random(seed)) for seed in range(2000)) < MOST_LOGINS


def logins(home, command, seconds):
    """How often a daemon logs in within so many seconds to a server that drops every link at `command`."""
    with ImapServer() as server:
        server.password = server.users["me"]
        server.on(command, eof, times=None)
        with Daemon(home, server, [Watched("me")]) as daemon:
            server.wait_for(lambda: server.logins, seconds=60)
            assert not daemon.ends_within(seconds)
            return server.logins


@pytest.mark.parametrize("command", ["EXAMINE", "IDLE"])
def test_a_server_that_drops_after_the_login_is_not_hammered(tmp_path, command):
    allowed = max(tries(15, Random(seed)) for seed in range(2000))
    assert 1 < logins(tmp_path, command, seconds=15) <= allowed


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_under_20_logins_in_ten_minutes(tmp_path):
    assert 1 < logins(tmp_path, "IDLE", seconds=600) < MOST_LOGINS


# --- a host that goes dark ------------------------------------------------------------------------------------------


@dataclass
class TwoHosts:
    """A daemon that watches as many accounts on one host as on the other; there is one Dovecot behind both."""

    daemon: Daemon
    server: Dovecot
    bright: list[str]
    dim: list[str]  #: accounts on the host that may go dark
    line: Relay  #: to that host
    sent: dict[int, float] = field(default_factory=dict)  #: mail -> monotonic seconds

    def deliver(self, users, rate):
        """A mail to each, so many a second at most; the mails."""
        cases = []
        for user in users:
            case = len(self.sent) * len(KINDS)
            cases.append(case)
            self.sent[case] = monotonic()
            self.server.deliver(user, mail(case).raw)
            Event().wait(max(0.0, self.sent[case] + 1 / rate - monotonic()))
        return cases

    def latencies(self, cases):
        """Seconds from the delivery of each to its handler."""
        rows = (line.split() for line in (self.daemon.home / "stamps").read_text().splitlines())
        handled = {int(case): float(at) for case, at in rows}
        return [handled[case] - self.sent[case] for case in cases]


@contextmanager
def two_hosts(home, count):
    bright, dim = ([f"{kind}-{number}" for number in range(count)] for kind in ("bright", "dim"))
    line = "{message.header('X-Case')} {time.monotonic()}\n"
    stamp = f"with open({str(home / 'stamps')!r}, 'a') as stamps: stamps.write(f{line!r})"
    with ExitStack() as stack:
        most = 4 * count + 200  # the server still holds those that went dark, on which nothing says that they ended
        server = stack.enter_context(Dovecot(users=[*bright, *dim], hibernate=2, connections=most))
        ways = [stack.enter_context(Relay(server.port, host)) for host in ("127.0.0.1", "127.0.0.2")]
        accounts = [
            Watched(user, relay=(way.host, way.port), settings='renew = "30s"')
            for users, way in zip((bright, dim), ways, strict=True)
            for user in users
        ]
        handlers = {"stamp.py": python_handler("stamp", home / "handlers.log", stamp)}
        daemon = stack.enter_context(Daemon(home, server, accounts, handlers=handlers))
        daemon.until(lambda: daemon.states() and set(daemon.states().values()) <= UP, 60 + count, "all links")
        yield TwoHosts(daemon, server, bright, dim, ways[1])


def one_goes_dark(hosts, rounds, rate):
    """
    Latencies on the bright host before and while the other is dark, and how often that one was tried, a second.

    The first mail of each user does not count: Dovecot does not tell of one that comes in the half second before it
    hibernates the process, which a renewal had woken. Later mails come long after a renewal, before and meanwhile.
    """
    users = hosts.bright * rounds
    first = hosts.deliver(hosts.bright, rate)
    hosts.daemon.handled(first, within=60)
    before = hosts.deliver(users, rate)
    hosts.daemon.handled(before, within=60)

    hosts.line.cut(Cut.SILENCE)
    waiting = hosts.deliver(hosts.dim, rate)
    hosts.daemon.until(lambda: "live" not in states(hosts, hosts.dim), 120, "the darkness to be noticed")
    began, tried = monotonic(), hosts.line.accepted
    meanwhile = hosts.deliver(users, rate)
    hosts.daemon.handled(meanwhile, within=60)
    tried = (hosts.line.accepted - tried) / (monotonic() - began)
    assert states(hosts, hosts.bright) <= UP

    hosts.line.mend()  # and its accounts are back as soon as after any other fault, few at a time
    cases = [*first, *before, *waiting, *meanwhile]
    jobs = hosts.daemon.settled(cases, within=PROMISED + len(hosts.dim) / LOGINS)
    assert hosts.daemon.verdict(cases, jobs) == []
    return hosts.latencies(before), hosts.latencies(meanwhile), tried


def states(hosts, users):
    told = hosts.daemon.states()
    return {told.get(f"{user}/INBOX") for user in users}


def test_a_dark_host_costs_the_other_no_mail(tmp_path):
    with two_hosts(tmp_path, 60) as hosts:
        _, _, tried = one_goes_dark(hosts, rounds=1, rate=20)
    assert tried <= MOST_CONNECTS


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_dark_host_with_500_accounts_makes_the_other_no_slower(tmp_path):
    with two_hosts(tmp_path, 500) as hosts:
        before, meanwhile, tried = one_goes_dark(hosts, rounds=2, rate=10)
    log.info("p99 %.3f s before, %.3f s meanwhile; %.2f connects a second", p99(before), p99(meanwhile), tried)
    assert tried <= MOST_CONNECTS
    assert p99(meanwhile) <= SLOWER * p99(before)


def p99(seconds):
    return statistics.quantiles(seconds, n=100)[-1]
