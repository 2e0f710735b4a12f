"""UIDs that change their meaning, and mails that change their place: only what is new is handled."""

from datetime import datetime

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import KINDS, mail, mails

pytestmark = pytest.mark.system

OLD = range(len(KINDS))  #: one of each kind
NEW = range(len(KINDS), 2 * len(KINDS))


@pytest.fixture
def server():
    with Dovecot(users=("alice",)) as running:
        yield running


def kept(server, folder="INBOX"):
    """Everything in the folder as a backup program would keep it: (INTERNALDATE, bytes), oldest first."""
    with server.imap("alice") as link:
        count = int(link.select(folder, readonly=True)[1][0])
        found = []
        for number in range(1, count + 1):
            _, data = link.fetch(str(number), "(INTERNALDATE BODY.PEEK[])")
            words = data[0][0].decode().split('"')[1]
            found.append((datetime.strptime(words.strip(), "%d-%b-%Y %H:%M:%S %z"), data[0][1]))
    return found


@pytest.mark.parametrize("uidvalidity", [None, 1], ids=["grows", "falls"])
@pytest.mark.parametrize("alive", [True, False], ids=["while it watches", "while it is stopped"])
def test_a_remade_mailbox_with_partly_the_same_mails(server, tmp_path, alive, uidvalidity):
    server.deliver_many(("alice", "INBOX", made.raw) for made in mails(len(OLD)))
    with Daemon(tmp_path, server, [Watched("alice")]) as daemon:
        daemon.settled(OLD, within=60)
        backup = kept(server)
        if not alive:
            assert daemon.stop() == 0
        before = server.status("alice", "INBOX", "uidvalidity")
        assert server.recreate("alice", "INBOX", uidvalidity) != before
        # The same UIDs as before, but every other mail is a new one, and what was there comes back in another order.
        for (when, raw), case in zip(reversed(backup), NEW, strict=True):
            server.append("alice", "INBOX", mail(case).raw)
            server.append("alice", "INBOX", raw, when=when)
        assert set(OLD[1:]) <= set(server.flags("alice"))
        if not alive:
            daemon.start()
        jobs = daemon.settled([*OLD, *NEW], within=60)
        assert daemon.verdict([*OLD, *NEW], jobs) == []
        assert daemon.is_running()


def test_a_remade_mailbox_whose_mails_were_delivered_once_more(server, tmp_path):
    """A second delivery has other trace fields in front, so the bytes differ; what the sender wrote does not."""
    server.deliver_many(("alice", "INBOX", made.raw) for made in mails(len(OLD)))
    with Daemon(tmp_path, server, [Watched("alice")]) as daemon:
        daemon.settled(OLD, within=60)
        assert daemon.stop() == 0
        server.recreate("alice")
        server.deliver_many(("alice", "INBOX", mail(case).raw) for case in [*NEW, *OLD])
        daemon.start()
        jobs = daemon.settled([*OLD, *NEW], within=60)
        assert daemon.verdict([*OLD, *NEW], jobs) == []


@pytest.mark.parametrize("how", ["MOVE", "COPY"])
def test_a_mail_moved_between_two_watched_folders_is_handled_once(server, tmp_path, how):
    server.create("alice", "Orders")
    with Daemon(tmp_path, server, [Watched("alice", ("INBOX", "Orders"))]) as daemon:
        server.deliver_many(("alice", "INBOX", mail(case).raw) for case in OLD)
        daemon.settled(OLD, within=60)
        with server.imap("alice") as link:
            link.select("INBOX")
            link.uid(how, "1:*", "Orders")
        assert len(server.flags("alice", "Orders")) == len(OLD)
        last = NEW[0]  # when this one, behind them all, has been handled, the moved ones have been looked at
        server.deliver("alice", mail(last).raw, "Orders")
        jobs = daemon.settled([*OLD, last], within=60)
        assert daemon.verdict([*OLD, last], jobs, daemon.unseen()) == []


def test_a_mail_moved_while_its_handlers_work_is_handled_once(server, tmp_path):
    gate = tmp_path / "gate"
    work = f"while [ ! -e {gate} ]; do sleep 0.02; done"
    server.create("alice", "Orders")
    with Daemon(tmp_path, server, [Watched("alice", ("INBOX", "Orders"))], work=work) as daemon:
        server.deliver("alice", mail(0).raw)
        daemon.until(daemon.events, 60, "the handler to begin")
        with server.imap("alice") as link:
            link.select("INBOX")
            link.uid("MOVE", "1", "Orders")
        gate.touch()
        server.deliver("alice", mail(1).raw, "Orders")
        jobs = daemon.settled([0, 1], within=60)
        wrong = daemon.verdict([0, 1], [job for job in jobs if job.kind != "after"])
        assert wrong == []
        assert sorted(job.status for job in jobs if job.kind == "after") == ["done", "skipped"]
