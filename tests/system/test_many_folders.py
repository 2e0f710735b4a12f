"""Fifty folders of one account: all on one link where the server can tell of them, within the budget where it can't."""

import time

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import Phase, shell_handler
from tests.system.mails import mail
from watcher.config.providers.catalogue import generic

pytestmark = pytest.mark.system

FOLDERS = ("INBOX", *(f"box-{number:02}" for number in range(49)))
SINGLY = range(0, 50, 12)  #: folders to which one mail comes while nothing else does
GENEROUS = 60.0  #: seconds; what is asked for is 2, and printed is what it took
WITHOUT_NOTIFY = "imap_capability = IMAP4rev1 LITERAL+ ID IDLE ENABLE UIDPLUS UNSELECT MOVE CONDSTORE SPECIAL-USE"


def home_of(path, server, **watched):
    server.doveadm("mailbox", "create", "-u", "alice", *FOLDERS[1:])
    recorder = {"recorder": shell_handler("recorder", path / "handlers.log")}
    return Daemon(path, server, [Watched("alice", folders=("INBOX", "box-*"), **watched)], handlers=recorder)


def handled(daemon, case):
    return any(event.case == case and event.phase is Phase.END for event in daemon.events())


def all_scanned(daemon, *states):
    known = daemon.states()
    return len(known) == len(FOLDERS) and set(known.values()) <= set(states)


def took(daemon, server, number, case):
    """Seconds from the delivery of a mail to one folder until a handler is through with it."""
    server.deliver("alice", mail(case).raw, FOLDERS[number])
    began = time.monotonic()
    daemon.until(lambda: handled(daemon, case), GENEROUS, f"the mail in {FOLDERS[number]}")
    return time.monotonic() - began


def all_at_once(daemon, server, first):
    server.deliver_many(("alice", name, mail(first + number).raw) for number, name in enumerate(FOLDERS))
    began = time.monotonic()
    daemon.handled(range(first, first + len(FOLDERS)), GENEROUS)
    return time.monotonic() - began


def report(way, singly, together):
    """The first mail also starts the unpackers, so it tells nothing of the folders."""
    print(f"{way}: {max(singly[1:]):.2f} s at most, {len(FOLDERS)} at once {together:.2f} s")  # noqa: T201 for people


def test_with_notify_one_link_serves_all(tmp_path):
    with Dovecot() as server, home_of(tmp_path, server) as daemon:
        daemon.until(lambda: all_scanned(daemon, "live"), GENEROUS, "all folders to be live")
        assert server.connections() == {"alice": 1}
        singly = [took(daemon, server, number, case) for case, number in enumerate(SINGLY)]
        together = all_at_once(daemon, server, first=len(SINGLY))
        assert server.connections()["alice"] <= 2, "more than the one that watches and that of the after-actions"
    report("NOTIFY", singly, together)


def test_without_notify_the_budget_is_kept(tmp_path):
    budget, sweep = generic().links, 1.0
    with Dovecot(settings=WITHOUT_NOTIFY) as server, home_of(tmp_path, server, settings=f"poll = {sweep}") as daemon:
        daemon.until(lambda: all_scanned(daemon, "live", "polling"), GENEROUS, "all folders to be watched")
        states = daemon.states()
        live = sum(state == "live" for state in states.values())
        assert (live, len(states) - live) == (budget - 2, len(FOLDERS) - (budget - 2)), "one sweeps, one changes"
        assert server.connections() == {"alice": budget - 1}
        singly = [took(daemon, server, number, case) for case, number in enumerate(SINGLY)]
        together = all_at_once(daemon, server, first=len(SINGLY))
        assert server.connections()["alice"] <= budget
    report(f"STATUS each {sweep:.0f} s", singly, together)
