"""Handlers that want their mail in order, or many at once: on a real server, and over kill -9."""

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import mail

pytestmark = pytest.mark.system
MAILS = 40

#: Every seventh mail fails at first; each run takes a moment, so that overlapping ones would be seen.
SERIAL = """#!/bin/sh
echo "begin $WATCHER_UID" >> {log}
sleep 0.02
[ $((WATCHER_UID % 7)) -eq 0 ] && [ "$WATCHER_ATTEMPT" -lt 2 ] && { echo "fail $WATCHER_UID" >> {log}; exit 75; }
echo "done $WATCHER_UID" >> {log}
"""
DIGEST = """#!/bin/sh
wc -l < "$WATCHER_BATCH" >> {log}
"""
SETTINGS = """
[handler.serial]
order = "serial"
concurrency = 4
backoff = 0.2

[handler.digest]
batch = 0.5
batch_size = 25
"""


def test_order_and_batches_hold_over_kills(tmp_path):
    logs = {name: tmp_path / f"{name}.log" for name in ("serial", "digest")}
    handlers = {
        "serial": SERIAL.replace("{log}", str(logs["serial"])),
        "digest": DIGEST.replace("{log}", str(logs["digest"])),
    }
    made = [mail(case) for case in range(MAILS)]
    with (
        Dovecot() as server,
        Daemon(tmp_path, server, [Watched("alice")], handlers=handlers, settings=SETTINGS) as daemon,
    ):
        for begun in (0, MAILS // 2):
            server.deliver_many(("alice", "INBOX", one.raw) for one in made[begun : begun + MAILS // 2])
            daemon.until(lambda least=begun: len(_lines(logs["serial"])) > 2 * least + 5, 60, "the first runs")
            daemon.kill()
            daemon.start()
        daemon.until(lambda: _done(daemon) == 2 * MAILS, 120, "all mails to be handled")
    lines = _lines(logs["serial"])
    done = list(dict.fromkeys(int(uid) for word, uid in lines if word == "done"))
    assert done == list(range(1, MAILS + 1))
    began = [int(uid) for word, uid in lines if word == "begin"]
    assert began == sorted(began), "a mail has passed one that is tried again"
    assert any(word == "fail" for word, _ in lines)
    sizes = [int(size) for size in logs["digest"].read_text().split()]
    assert MAILS <= sum(sizes) <= MAILS + 2 * 25, "a run that a kill has cut off comes again"
    assert max(sizes) > 1
    assert max(sizes) <= 25


def _lines(log):
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def _done(daemon):
    if not (daemon.state / "ledger.db").exists():
        return 0
    return sum(job.kind == "job" and job.status == "done" for job in daemon.jobs())
