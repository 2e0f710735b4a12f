"""The way of one mail, end to end: from a real server to handlers in two languages and back."""

import hashlib

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import KINDS, mail, mails

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob")) as running:
        yield running


def test_a_mail_of_every_kind_is_handled_and_marked_as_read(server, tmp_path):
    made = list(mails(len(KINDS)))
    with Daemon(tmp_path, server, [Watched("alice")]) as daemon:
        server.deliver("alice", made[0].raw)
        daemon.until(daemon.events, 60, "the first mail")
        server.deliver_many(("alice", "INBOX", one.raw) for one in made[1:])
        cases = [one.case for one in made]
        jobs = daemon.settled(cases, within=60)
        daemon.until(lambda: not daemon.unseen(), 60, "all mails to be marked as read")
        assert daemon.verdict(cases, jobs) == []
        assert daemon.stop() == 0


def test_attachments_come_out_byte_for_byte(server, tmp_path):
    made = mail(list(KINDS).index("attached"))
    digests = f"sha256sum attachments/* > {tmp_path}/digests"
    with Daemon(tmp_path, server, [Watched("bob")], handlers={"digests": f"#!/bin/sh\n{digests}\n"}) as daemon:
        server.deliver("bob", made.raw)
        daemon.until(
            lambda: any(job.name == "digests" and job.status == "done" for job in _jobs(daemon)), 60, "the mail"
        )
    found = {line.split()[0] for line in (tmp_path / "digests").read_text().splitlines()}
    assert found == set(made.attachments)
    assert all(len(digest) == len(hashlib.sha256().hexdigest()) for digest in found)


def _jobs(daemon):
    return daemon.jobs() if (daemon.state / "ledger.db").exists() else []
