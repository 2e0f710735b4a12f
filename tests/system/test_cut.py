"""The line is cut in IDLE: what came meanwhile is handled once it is back, and the time between costs nothing."""

from contextlib import ExitStack

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import Phase
from tests.system.mails import mail
from tests.system.processes import cpu_of
from tests.system.relay import Cut, Relay

pytestmark = pytest.mark.system

OUTAGE = 30.0  #: seconds
CPU = 0.02  #: of one core, at most, for all processes together
ATTEMPTS = 30  #: at most, in that time


def test_three_kinds_of_cut_in_idle(tmp_path):
    users = [kind.value for kind in Cut]
    with ExitStack() as stack:
        server = stack.enter_context(Dovecot(users=users))
        relays = {
            kind: stack.enter_context(Relay(server.port, f"127.0.0.{2 + number}")) for number, kind in enumerate(Cut)
        }
        accounts = [
            Watched(kind.value, relay=(relay.host, relay.port), settings='renew = "10s"')
            for kind, relay in relays.items()
        ]
        daemon = stack.enter_context(Daemon(tmp_path, server, accounts))
        daemon.until(daemon.is_live, 60, "all links to idle")
        server.deliver_many((user, "INBOX", mail(case).raw) for case, user in enumerate(users))
        daemon.settled(range(3), within=60)
        daemon.until(daemon.is_live, 60, "all links to idle again")
        seen = {kind: relay.accepted for kind, relay in relays.items()}

        for kind, relay in relays.items():
            relay.cut(kind)
        server.deliver_many((user, "INBOX", mail(3 + number).raw) for number, user in enumerate(users))
        used = cpu_of(daemon.pid)
        assert not daemon.ends_within(OUTAGE)
        used = cpu_of(daemon.pid) - used
        tried = {kind: relay.accepted - seen[kind] for kind, relay in relays.items()}
        assert used < CPU * OUTAGE
        assert all(0 < times < ATTEMPTS for times in tried.values()), tried
        assert not daemon.is_live()

        for relay in relays.values():
            relay.mend()
        jobs = daemon.settled(range(6), within=120)
        assert daemon.verdict(range(6), jobs) == []
        assert sum(event.phase is Phase.START for event in daemon.events()) == 6 * 2


def test_an_outage_of_the_server_itself(tmp_path):
    with Dovecot() as server, Daemon(tmp_path, server, [Watched("alice")]) as daemon:
        daemon.until(daemon.is_live, 60, "the link to idle")
        server.stop()
        daemon.until(lambda: not daemon.is_live(), 60, "the loss to be noticed")
        server.start()
        server.deliver("alice", mail(0).raw)
        jobs = daemon.settled([0], within=60)
        assert daemon.verdict([0], jobs) == []
