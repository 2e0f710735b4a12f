"""A thousand idle mailboxes in one process: small, flat, and none of them missed in a burst."""

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import shell_handler
from tests.system.mails import mail
from tests.system.processes import cpu_of, usage

pytestmark = pytest.mark.system
KB = 1 << 10


@pytest.mark.timeout(900)
def test_a_thousand_idle_mailboxes(tmp_path):
    users = tuple(f"user-{number}" for number in range(1000))
    with Dovecot(users=users, hibernate=2, connections=len(users) + 100) as server:
        alone = watch(server, tmp_path / "one", users[:1]).rss
        home = tmp_path / "all"
        home.mkdir()
        with daemon_for(server, home, users) as daemon:
            daemon.until(lambda: len(server.connections()) == len(users), 300, "all links")
            daemon.until(daemon.is_live, 60, "all links to idle")
            idle = usage(daemon.pid)
            used = cpu_of(daemon.pid)
            assert not daemon.ends_within(10)
            used = cpu_of(daemon.pid) - used
            each = (idle.rss - alone) / (len(users) - 1)
            print(f"{each / KB:.1f} kB each, {idle.threads} threads, {used / 10:.1%} CPU at rest")  # noqa: T201
            assert each < 50 * KB
            assert idle.threads < 40
            cases = range(len(users))
            server.deliver_many((user, "INBOX", mail(case).raw) for case, user in enumerate(users))
            daemon.handled(cases, within=300)
            jobs = daemon.settled(cases, within=60)
            assert daemon.verdict(cases, jobs) == []
            assert usage(daemon.pid).threads < 40


def watch(server, home, users):
    """What a daemon for so few holds."""
    home.mkdir()
    with daemon_for(server, home, users) as daemon:
        daemon.until(daemon.is_live, 60, "its links to idle")
        return usage(daemon.pid)


def daemon_for(server, home, users):
    handlers = {"shell": shell_handler("shell", home / "handlers.log")}
    return Daemon(home, server, [Watched(user) for user in users], handlers=handlers)
