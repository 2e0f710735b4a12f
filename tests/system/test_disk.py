"""
The disk is full, or fails, at any moment: nothing is lost, nothing is done twice, and a full one is outlived.

The store alone, under strace, shows it for each of its calls; the daemon shows it on a disk of its own that fills up.
"""

import os
import re
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from tests.system.bookkeeper import FAILED, losses
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import shell_handler
from tests.system.mails import mail
from tests.system.waiting import until
from watcher.errors import SpoolFull
from watcher.outbox.scribe import store
from watcher.store.database import Database
from watcher.store.spool import Spool

pytestmark = pytest.mark.system
needs_a_disk = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true", reason="mounts a disk of its own: needs root"
)

MAILS = 24
STORE = [sys.executable, "-m", "tests.system.bookkeeper"]
ROOT = Path(__file__).parents[2]


# --- the store, at each of its calls --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """How one run of the bookkeeper ended."""

    code: int
    told: tuple[str, ...]  #: what it was told is durable
    complaint: str
    hit: str  #: the call in which the fault was injected, with the path of its file; "" if it never came


def keep(state, calls="", fault=""):
    """One life of the bookkeeper; at the n-th of its `calls` it meets the `fault`."""
    trace = state.parent / "trace"
    command = [*STORE, state, str(MAILS)]
    trace.unlink(missing_ok=True)
    if fault:
        inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
        command = ["strace", "-f", "-y", "-qq", "-o", trace, *inject, *command]
    state.mkdir(mode=0o700, exist_ok=True)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    made = trace.read_text().splitlines() if trace.exists() else []
    hit = next((call for call in made if "(INJECTED)" in call), "")
    return Life(done.returncode, tuple(done.stdout.splitlines()), done.stderr, hit)


def goes_on(state, life):
    """What is there was told, and the next life brings all to its end."""
    if (state / "ledger.db").exists():
        assert losses(state, life.told) == []
    again = keep(state)
    assert again.code == 0, again.complaint
    everything = [f"{what} {number}" for what in ("received", "answered") for number in range(1, MAILS + 1)]
    assert losses(state, everything) == []
    assert not set(life.told) & set(again.told), "done again"


@pytest.fixture(params=["new", "used"])
def begun(request, tmp_path):
    """A state directory that is not there yet, or that a kill has left with some mails."""
    state = tmp_path / "begun"
    if request.param == "used":
        assert keep(state, "writev", "signal=KILL:when=8").code < 0
    return state


def copy_of(begun, name):
    state = begun.parent / name / "state"
    state.parent.mkdir()
    if begun.exists():
        copytree(begun, state)
    return state


def reduced(*few):
    """Every n in a soak, as many as there are; a few in every run."""
    return [pytest.param(few, id="some"), pytest.param(range(1, 1000), id="all", marks=pytest.mark.soak)]


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])  # of the spool, and of SQLite
@pytest.mark.parametrize("numbers", reduced(3, 12))
@pytest.mark.timeout(1800)
def test_a_failed_sync_ends_it_at_once(begun, call, numbers):
    """The next sync might confirm what this one has lost."""
    for n in numbers:
        state = copy_of(begun, f"{n}")
        life = keep(state, call, f"error=EIO:when={n}")
        if not life.hit:
            break
        if f"fdatasync({state}>" in re.sub(r"\(\d+<", "(", life.hit):
            continue  # SQLite ignores what its sync of a directory says (os_unix.c, unixSync); we ask once more
        assert life.code == FAILED, (n, life)
        assert life.complaint.count("\n") <= 2, life.complaint
        goes_on(state, life)
    assert life.hit or n > 12


@pytest.mark.parametrize("numbers", reduced(4, 40))
@pytest.mark.timeout(3600)
def test_it_outlives_a_full_disk_at_any_write(begun, numbers):
    for n in numbers:
        state = copy_of(begun, f"{n}")
        life = keep(state, "write,pwrite64,mkdir", f"error=ENOSPC:when={n}")
        if not life.hit:
            break
        assert life.code == 0 or (life.code == FAILED and not life.told), (n, life)
        goes_on(state, life)
    assert life.hit or n > 40


# --- the daemon, on a small disk of its own -------------------------------------------------------------------------

GATED = "while [ ! -e {gate} ]; do sleep 0.05; done"


def said(daemon):
    """How often it has complained."""
    return sum(daemon.log().count(words) for words in ("can't be written, the disk is full", "nothing is received: "))


@contextmanager
def small_disk(place, size="24m"):
    place.mkdir()
    options = f"size={size},nr_inodes=600,mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def take_bytes(ballast):
    """All that are left."""
    with (ballast / "bytes").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def take_names(ballast):
    """All that are left."""
    with suppress(OSError):
        for number in count():
            (ballast / f"{number}").touch()


@needs_a_disk
def test_what_has_begun_is_written_down_from_what_was_kept_back(tmp_path):
    with small_disk(tmp_path / "state", "48m") as disk, closing(Database(disk)) as database:
        database.reserve.keep_back()
        take_bytes(disk)
        database.submit(lambda db: db.execute("INSERT INTO meta VALUES ('much', ?)", ("x" * 1_000_000,))).result(30)
        assert not database.reserve.path.exists()
        database.reserve.keep_back()
        assert not database.reserve.path.exists(), "there is not much room yet"
        (disk / "bytes").unlink()
        database.reserve.keep_back()
        assert database.reserve.path.stat().st_size > 1_000_000


@needs_a_disk
@pytest.mark.parametrize("take", [take_bytes, take_names])
@pytest.mark.parametrize("size", [100, 100_000])  # fails when it is closed, and before
def test_a_letter_without_room_leaves_nothing_behind(tmp_path, take, size):
    with small_disk(tmp_path / "state") as disk:
        spool = Spool(disk)
        take(disk)
        with pytest.raises(SpoolFull):
            store(spool, "k", [bytes(size)])
        assert list(spool.path.iterdir()) == []


@needs_a_disk
def test_a_mail_without_room_leaves_nothing_behind(tmp_path):
    """Its first bytes still wait in a buffer when the next ones find no room."""
    with small_disk(tmp_path / "state") as disk:
        spool = Spool(disk)
        take_bytes(disk)
        draft = spool.draft("k")
        draft.write(bytes(100))
        with pytest.raises(SpoolFull):
            draft.write(bytes(100_000))
        draft.discard()
        assert list(spool.path.iterdir()) == []


@needs_a_disk
@pytest.mark.parametrize("take", [take_bytes, take_names])
@pytest.mark.parametrize("killed", [False, True])
def test_the_daemon_on_a_full_disk_waits_loudly_and_goes_on_alone(tmp_path, take, killed):
    gate, log = tmp_path / "gate", tmp_path / "handlers.log"
    handlers = {"gated": shell_handler("gated", log, GATED.format(gate=gate))}
    settings = 'disk_floor = "1M"\nlog = "info"\n'
    with (
        small_disk(tmp_path / "state") as disk,
        Dovecot() as server,
        Daemon(tmp_path, server, [Watched("alice")], handlers=handlers, settings=settings) as daemon,
    ):
        server.deliver("alice", mail(0).raw)
        daemon.until(daemon.events, 60, "the first run")
        ballast = disk / "ballast"
        ballast.mkdir()
        take(ballast)
        server.deliver_many(("alice", "INBOX", mail(case).raw) for case in range(1, 8))
        gate.touch()
        daemon.until(lambda: said(daemon), 60, "words about the full disk")
        daemon.until(lambda: len(daemon.events()) == 2, 60, "the end of the first run")
        assert daemon.ask("status")["ledger"] == ("the disk is full" if take is take_bytes else "")
        if killed:
            daemon.kill()
            daemon.start()
            until(lambda: not daemon.is_running() or said(daemon) > 1, 60, "an end, or words about the full disk")
            if not daemon.is_running():
                assert daemon.log().splitlines()[-1].endswith("the disk is full: make room")
                rmtree(ballast)
                daemon.start()
        if ballast.exists():
            rmtree(ballast)
        jobs = daemon.settled(range(8), within=60)
        assert daemon.verdict(range(8), jobs, daemon.unseen()) == []
        assert daemon.is_running()
