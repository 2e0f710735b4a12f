"""Much mail and big mail in flat memory."""

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import shell_handler
from tests.system.mails import big_mail, mails
from tests.system.processes import Gauge, usage

pytestmark = pytest.mark.system
MB = 1 << 20


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
def test_a_backlog_at_first_start(tmp_path, count):
    handlers = {"shell": shell_handler("shell", tmp_path / "handlers.log")}
    with Dovecot() as server:
        server.deliver_many(("alice", "INBOX", made.raw) for made in mails(count))
        with Daemon(tmp_path, server, [Watched("alice")], handlers=handlers) as daemon:
            with Gauge(daemon.pid) as gauge:
                daemon.handled(range(count), within=1500)
                daemon.until(lambda: not daemon.unseen(), 60, "all mails to be marked as read")
                threads = usage(daemon.pid).threads
            jobs = daemon.settled(range(count), within=60)  # asking for all of them takes memory of its own
            assert daemon.verdict(range(count), jobs) == []
    print(  # noqa: T201
        f"{count} mails: peak {gauge.peak.rss / MB:.0f} MB RSS, {gauge.peak.pss / MB:.0f} MB PSS, "
        f"{gauge.processes} processes, {threads} threads"
    )
    assert gauge.peak.rss < 250 * MB
    assert threads < 40


def test_a_mail_of_50_mb(tmp_path):
    made = big_mail(1, 50_000_000)
    handlers = {
        "keep": shell_handler("keep", tmp_path / "handlers.log", f"sha256sum attachments/* > {tmp_path}/digest")
    }
    with Dovecot() as server:
        server.deliver("alice", made.raw)
        with Daemon(tmp_path, server, [Watched("alice")], handlers=handlers) as daemon:
            jobs = daemon.settled([1], within=100)
            peak = usage(daemon.pid).peak
        assert daemon.verdict([1], jobs, daemon.unseen()) == []
    assert (tmp_path / "digest").read_text().split()[0] == made.attachments[0]
    assert peak < 100 * MB
