"""Nothing changes on the server before all handlers of a mail have succeeded, and nothing ever if one has failed."""

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import Phase, python_handler, shell_handler
from tests.system.mails import mail

pytestmark = pytest.mark.system

#: Not even the folder's SELECT, which would take this flag away.
UNTOUCHED = {1: frozenset({r"\Recent"})}


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob")) as running:
        yield running


def test_flags_stay_while_the_last_handler_works(server, tmp_path):
    log, gate = tmp_path / "handlers.log", tmp_path / "gate"
    handlers = {
        "first": shell_handler("first", log),
        "second.py": python_handler("second", log, f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)"),
    }
    with Daemon(tmp_path, server, [Watched("alice")], handlers=handlers) as daemon:
        server.deliver("alice", mail(0).raw)
        daemon.until(lambda: phases(daemon, "second") == [Phase.START], 60, "the second handler to begin")
        assert phases(daemon, "first") == [Phase.START, Phase.END]
        assert server.flags("alice") == UNTOUCHED
        gate.touch()
        jobs = daemon.settled([0], within=60)
        assert server.flags("alice") == {1: frozenset({r"\Seen"})}
        assert daemon.verdict([0], jobs, daemon.unseen()) == []


def test_flags_stay_when_a_handler_is_given_up(server, tmp_path):
    log = tmp_path / "handlers.log"
    handlers = {"good": shell_handler("good", log), "hopeless": shell_handler("hopeless", log, "exit 100")}
    with Daemon(tmp_path, server, [Watched("bob")], handlers=handlers) as daemon:
        server.deliver("bob", mail(0).raw)
        daemon.until(lambda: phases(daemon, "hopeless"), 60, "the hopeless handler")
        daemon.until(
            lambda: {job.name: job.status for job in daemon.jobs()}.get("hopeless") == "dead", 60, "the dead letter"
        )
        assert daemon.stop() == 0
    assert server.flags("bob") == UNTOUCHED


def phases(daemon, handler):
    return [event.phase for event in daemon.events() if event.handler == handler]
