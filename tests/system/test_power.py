"""
The power is cut: what the store was told is durable is there afterwards. And this test can tell.

The store works on an ext4 of its own in a file. A cut is a copy of that file while the store stands still: what it has
written and not synced is in the memory of the kernel only, and not in the copy.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from tests.system.bookkeeper import losses
from tests.system.mutants import Mutant, with_bug
from tests.system.waiting import until

pytestmark = pytest.mark.system
needs_a_disk = pytest.mark.skipif(
    os.geteuid() != 0 and os.environ.get("CI") != "true", reason="mounts a disk of its own: needs root"
)

STORE = [sys.executable, "-m", "tests.system.bookkeeper"]
ROOT = Path(__file__).parents[2]
SIZE = 64 << 20  #: bytes of the disk
ENDLESS = 1_000_000  #: mails

MUTANTS = {
    "commits not synced": Mutant("store/opening.py", "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"),
    "mails not synced": Mutant("store/spool.py", "(folder.raw, folder.path)", "(folder.path,)"),
    "only the first mail synced": Mutant("store/spool.py", "for path in paths[ALONE:]", "for path in ()"),
}


@contextmanager
def mounted(image, place):
    """The disk in the file `image`, at the directory `place`; as after a crash, if it was not ended cleanly."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


class Worker:
    """The store at work on a disk; a context manager."""

    def __init__(self, state, package):
        self.told = []
        path = os.pathsep.join(map(str, filter(None, (package, ROOT))))
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [*STORE, state, str(ENDLESS)], stdout=subprocess.PIPE, text=True, env=environment, cwd=state.parent
        )
        self.listener = Thread(target=self.listen)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            self.told.append(line.strip())

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait()
        self.listener.join()
        self.process.stdout.close()

    def advance(self, lines):
        """Wait until it has told so many lines more."""
        goal = len(self.told) + lines
        until(lambda: len(self.told) >= goal or self.process.poll() is not None, 60, "the store to work")
        assert self.process.poll() is None

    @contextmanager
    def standing_still(self):
        """What it had told when it stopped."""
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 60, "it to stand still")
        yield tuple(self.told)
        self.process.send_signal(signal.SIGCONT)


def cuts(directory, number, package=None):
    """What is wrong after each of so many cuts."""
    rnd = Random(number)
    image, copy = directory / "disk", directory / "copy"
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    with ExitStack() as stack:
        disk = stack.enter_context(mounted(image, directory / "at-work"))
        worker = stack.enter_context(Worker(disk / "state", package))
        for _ in range(number):
            worker.advance(rnd.randrange(1, 20))
            with worker.standing_still() as told:
                shutil.copyfile(image, copy)
                with mounted(copy, directory / "after") as after:
                    wrong = losses(after / "state", told)
            yield wrong


@needs_a_disk
@pytest.mark.parametrize("number", [pytest.param(8, id="8"), pytest.param(100, id="100", marks=pytest.mark.soak)])
@pytest.mark.timeout(1200)
def test_no_cut_loses_what_was_told(tmp_path, number):
    for wrong in cuts(tmp_path, number):
        assert wrong == []


@needs_a_disk
@pytest.mark.parametrize("name", MUTANTS)
def test_a_store_that_does_not_sync_is_found_out(tmp_path, name):
    package = with_bug(MUTANTS[name], tmp_path)
    assert any(wrong for wrong in cuts(tmp_path, 20, package))


# --- kill -9 --------------------------------------------------------------------------------------------------------

CALLS = ("pwrite64", "fdatasync", "fsync", "mkdir", "write", "chmod", "writev", "openat")


def kills(state, number):
    """What is wrong after each of so many kills at a random call, each in the life that the last one has begun."""
    rnd, told = Random(number), []
    for _ in range(number):
        call, nth = rnd.choice(CALLS), round(10 ** rnd.uniform(0, 2))
        inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
        inject += ["-e", f"inject={call}:signal=KILL:when={nth + (400 if call == 'openat' else 0)}"]
        life = subprocess.run(
            [*inject, *STORE, state, str(ENDLESS)], stdout=subprocess.PIPE, text=True, timeout=120, check=False
        )
        assert life.returncode == -signal.SIGKILL
        again = set(told) & set(life.stdout.splitlines())
        told += life.stdout.splitlines()
        yield [*losses(state, told), *(f"{line}: told twice" for line in again)] if told else []


@pytest.mark.parametrize("number", [pytest.param(10, id="10"), pytest.param(1000, id="1000", marks=pytest.mark.soak)])
@pytest.mark.timeout(3600)
def test_no_kill_loses_or_doubles_what_was_told(tmp_path, number):
    (tmp_path / "state").mkdir(mode=0o700)
    for wrong in kills(tmp_path / "state", number):
        assert wrong == []
