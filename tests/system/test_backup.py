"""A backup is taken while the daemon works; what is restored from it misses nothing, and doubles only what it says."""

import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.inside import run_inside
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import Phase
from tests.system.mails import mail

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob")) as running:
        yield running


def runs(daemon: Daemon) -> Counter[int]:
    """How often the handlers have ended with each mail."""
    return Counter(event.case for event in daemon.events() if event.phase is Phase.END)


def restore(backup: Path, state: Path):
    return run_inside("restore", str(backup), "--state", str(state))


def test_nothing_is_missed_and_only_what_came_after_the_backup_runs_again(server, tmp_path):
    backup, go = tmp_path / "backup.tar", tmp_path / "go"
    work = f'if test "$number" = 5; then until test -e "{go}"; do sleep 0.1; done; fi'
    with Daemon(tmp_path, server, [Watched("alice")], work=work) as daemon:
        server.deliver_many(("alice", "INBOX", mail(case).raw) for case in range(12))
        daemon.until(lambda: runs(daemon).total() == 23, 60, "all runs but one")
        daemon.until(lambda: sum(job.status == "done" for job in daemon.jobs() if job.kind == "job") == 23, 60, "all")
        assert "the ledger and 12 mails" in daemon.command("backup", str(backup))
        assert backup.stat().st_mode & 0o777 == 0o600
        go.touch()
        server.deliver_many(("alice", "INBOX", mail(case).raw) for case in range(12, 18))
        daemon.settled(range(18), 60)
        assert daemon.stop() == 0
        shutil.move(daemon.state, tmp_path / "lost")

        restored = restore(backup, daemon.state)
        assert restored.stdout == f"{daemon.state}: the ledger and 12 mails\n", restored.stderr
        daemon.start()
        daemon.until(lambda: runs(daemon).total() == 36 + 13, 60, "what the backup does not know of")
        server.deliver("alice", mail(18).raw)
        daemon.settled(range(19), 60)
        assert daemon.stop() == 0
    twice = {case for case, number in runs(daemon).items() if number > 2}
    assert twice == {5, *range(12, 18)}
    assert runs(daemon)[5] == 3, "one of its two handlers had ended"
    assert set(runs(daemon)) == set(range(19))


def test_dead_letters_come_back_with_all_their_parts(server, tmp_path):
    handler = "#!/bin/sh\ntest -e ../../../go && test -s message.json && ls attachments/* && exit 0\nexit 100\n"
    handler = handler.replace("../../../go", str(tmp_path / "go"))
    with Daemon(tmp_path, server, [Watched("bob")], handlers={"picky": handler}) as daemon:
        case = next(case for case in range(20) if any(mail(case).attachments))
        server.deliver("bob", mail(case).raw)
        daemon.until(lambda: [job for job in daemon.jobs() if job.status == "dead"], 60, "the dead letter")
        daemon.kill()
        daemon.command("backup", str(tmp_path / "backup.tar"))
        shutil.move(daemon.state, tmp_path / "lost")
        assert restore(tmp_path / "backup.tar", daemon.state).returncode == 0
        assert [path.name for path in daemon.state.rglob("message.*")] == ["message.eml"]
        (tmp_path / "go").touch()
        daemon.start()
        daemon.until(daemon.is_live, 60, "the next life")
        (dead,) = daemon.ask("jobs", status="dead")
        daemon.command("jobs", "retry", str(dead["id"]))
        daemon.until(lambda: "done" in {job.status for job in daemon.jobs() if job.name == "picky"}, 60, "its run")


@pytest.fixture(scope="module")
def made(server, tmp_path_factory):
    """A backup of three mails, and the ledger alone."""
    home = tmp_path_factory.mktemp("made")
    with Daemon(home, server, [Watched("bob")], handlers={"note": "#!/bin/sh\n"}) as daemon:
        for case in range(3):
            server.deliver("bob", mail(case).raw)
        daemon.until(lambda: sum(job.status == "done" for job in daemon.jobs() if job.name == "note") >= 3, 60, "them")
        daemon.command("backup", str(home / "whole.tar"))
        assert "the ledger and 0 mails" in daemon.command("backup", "--no-mails", str(home / "ledger.tar"))
    return home


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = data.index(b"X-Case") + 3
    return data[:at] + b"?" + data[at + 1 :]


def without_ledger(data: bytes) -> bytes:
    return data[: data.index(b"SQLite format 3") - 512]


def damaged_ledger(data: bytes) -> bytes:
    at = data.index(b"SQLite format 3") + 3 * 4096
    return data[:at] + b"\xff" * 4096 + data[at + 4096 :]


@pytest.mark.parametrize("spoil", [cut, flipped, without_ledger, damaged_ledger, lambda _: b"rubbish", lambda _: b""])
def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_left(made, tmp_path, spoil):
    backup, state = tmp_path / "backup.tar", tmp_path / "state"
    backup.write_bytes(spoil((made / "whole.tar").read_bytes()))
    done = restore(backup, state)
    assert done.returncode == 1
    assert str(backup) in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in state.iterdir()] == ["lock"]
    assert restore(made / "whole.tar", state).returncode == 0, "it may be filled after that"


def test_only_an_empty_directory_is_filled(made, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "precious").touch()
    done = restore(made / "whole.tar", tmp_path / "state")
    assert done.returncode == 1
    assert "is not empty (it holds precious)" in done.stderr
    assert (tmp_path / "state" / "precious").exists()


def test_what_a_tar_names_elsewhere_is_not_written(made, tmp_path):
    evil = tmp_path / "evil.tar"
    with tarfile.open(made / "whole.tar") as whole, tarfile.open(evil, "w") as tar:
        for member in whole:
            content = whole.extractfile(member)
            if member.name.startswith("mails/"):
                member.name = "mails/../../evil.eml"
            tar.addfile(member, content)
    done = restore(evil, tmp_path / "deep" / "state")
    assert "which no backup does" in done.stderr
    assert not list(tmp_path.rglob("evil.eml"))


def test_the_ledger_alone_knows_what_was_handled(made, tmp_path):
    assert restore(made / "ledger.tar", tmp_path / "state").returncode == 0
    assert list((tmp_path / "state" / "spool").iterdir()) == []
    with tarfile.open(made / "ledger.tar") as tar:
        assert tar.getnames() == ["about.json", "ledger.db"]


def test_a_file_that_is_there_stays(made):
    before = (made / "whole.tar").read_bytes()
    done = run_inside("--config", str(made / "config.toml"), "backup", str(made / "whole.tar"))
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert (made / "whole.tar").read_bytes() == before
