"""The end of the daemon: what runs gets a while to finish, then it is cut short, and runs again at the next start."""

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import pytest

from tests.bench.ledger import fill, opened
from tests.fakes.imap_server import ImapServer
from tests.imap.conftest import ME, endpoint
from tests.system.mails import mail
from watcher.daemon import open_after, open_dispatcher, open_jobs, open_unpack
from watcher.imap.link import connect
from watcher.model import Action, Verb
from watcher.store.desk import Filter

PATIENCE = 60.0
WAITS = '#!/bin/sh\ntouch "$WATCHER_STATE/begun"\nuntil test -e "$WATCHER_STATE/go"; do sleep 0.05; done\n'


@pytest.mark.parametrize(
    ("grace", "found"), [(PATIENCE, ("done", "")), (0.1, ("waiting", "interrupted: the daemon is stopping"))]
)
def test_a_handler_that_runs_at_the_end_has_a_while_for_it(grace: float, found: tuple[str, str]) -> None:
    with opened({"handler": WAITS}) as house:
        settings = replace(house.config.watcher, stop_timeout=grace)
        house.standing.put(replace(house.config, watcher=settings))
        state = Path(house.spool.path.parent, "handler-state", "handler")
        with ExitStack() as at_end:
            fill(house, 1)
            inner = replace(house, at_end=at_end)
            open_unpack(inner, open_jobs(inner, open_dispatcher(inner)))
            end = time.monotonic() + PATIENCE
            while not (state / "begun").exists():
                assert not house.ending.wait(0.02)
                assert time.monotonic() < end
            if grace == PATIENCE:
                Timer(0.3, (state / "go").touch).start()
        (entry,) = house.desk.entries(Filter(kind="job"))
        assert (entry.status, entry.reason) == found


def test_after_actions_of_a_handler_that_runs_at_the_end_are_done() -> None:
    """What becomes of a mail whose handler ends last is done at once, not at the next start."""
    with ImapServer() as server, opened({"handler": WAITS}) as house:
        server.deliver(mail(1).raw)
        (rule,) = house.config.rules
        house.standing.put(replace(house.config, rules=(replace(rule, then=(Action(Verb.SEEN),)),)))
        state = Path(house.spool.path.parent, "handler-state", "handler")
        with ExitStack() as at_end:
            fill(house, 1)
            access = SimpleNamespace(open=lambda _: connect(endpoint(server), ME))
            inner = replace(house, at_end=at_end, access=access)
            after = open_after(inner)
            open_unpack(inner, open_jobs(inner, open_dispatcher(inner), after), after)
            end = time.monotonic() + PATIENCE
            while not (state / "begun").exists():
                assert not house.ending.wait(0.02)
                assert time.monotonic() < end
            (state / "go").touch()
        assert [each.flags for each in server.inbox.mails] == [{"\\Seen"}]
