"""The children: a mail may kill its own, and nobody else notices."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import pytest

import watcher
from tests.mail.mails import folder_of, lines
from watcher.errors import Unreadable
from watcher.limits import MIB, Limits
from watcher.mail.pool import UnpackPool
from watcher.model import Envelope, MailFolder

#: Seconds that anything here may take on a busy machine.
PATIENCE = 60.0

PLAIN = lines("Subject: fine", "", "text")


@pytest.fixture
def pool():
    made = UnpackPool(2)
    yield made
    made.close()


def unpackers(of: int) -> set[int]:
    """Children of any thread of the process that run a mail pool."""
    found = set()
    for task in Path(f"/proc/{of}/task").iterdir():
        for pid in (task / "children").read_text().split():
            if b"watcher.mail.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(int(pid))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        os.sched_yield()


def reader_of(folder: MailFolder) -> int:
    """The child that has this mail open, once there is one."""
    found: list[int] = []

    def look() -> bool:
        for pid in unpackers(os.getpid()):
            with suppress(FileNotFoundError, PermissionError):
                if any(each.readlink() == folder.raw for each in Path(f"/proc/{pid}/fd").iterdir()):
                    found.append(pid)
        return bool(found)

    until(look)
    return found[0]


def fine(pool: UnpackPool, path: Path) -> bool:
    return pool.unpack(folder_of(path, PLAIN), Envelope()).subject == "fine"


def test_mails_from_many_threads(pool, tmp_path):
    def one(number: int) -> str:
        raw = lines(f"Subject: {number}", "", "text")
        return pool.unpack(folder_of(tmp_path / str(number), raw), Envelope(key=str(number))).subject

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(one, range(60))) == [str(number) for number in range(60)]


def test_one_child_does_it_as_long_as_nobody_waits_for_it(tmp_path):
    pool = UnpackPool(2, hesitation=PATIENCE)
    before = unpackers(os.getpid())
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda number: fine(pool, tmp_path / str(number)), range(20)))
    assert len(unpackers(os.getpid()) - before) == 1
    pool.close()


def test_a_child_that_is_being_born_has_no_other_started(tmp_path, monkeypatch):
    """However long that takes on a busy machine; while it lasts, all that comes in waits."""
    held = tmp_path / "held"
    os.mkfifo(held)
    (tmp_path / "sitecustomize.py").write_text(f"open({str(held)!r}).read()\n")  # what Python reads at its start
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pool = UnpackPool(2, hesitation=1.0)
    before = unpackers(os.getpid())
    with ThreadPoolExecutor(4) as threads:
        fates = [threads.submit(fine, pool, tmp_path / str(number)) for number in range(4)]
        _, late = wait(fates, 1.5)
        assert len(late) == 4
        monkeypatch.delenv("PYTHONPATH")
        held.write_text("")
        assert all(fate.result(PATIENCE) for fate in fates)
    assert len(unpackers(os.getpid()) - before) == 1
    pool.close()


def test_a_slow_mail_has_another_child_started(tmp_path, slow_mail):
    pool = UnpackPool(2, hesitation=0.1)
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(pool.unpack, slow_mail, Envelope())
        reader_of(slow_mail)
        assert fine(pool, tmp_path / "quick")
        assert not slow.done()
        pool.close()
        assert slow.exception(PATIENCE)


def test_when_it_is_done_one_child_is_left(tmp_path):
    pool = UnpackPool(2, hesitation=0.1)
    before = unpackers(os.getpid())
    assert fine(pool, tmp_path / "first")
    (slow,) = unpackers(os.getpid()) - before
    os.kill(slow, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(fine, pool, tmp_path / "slow")
        until(lambda: not pool._idle)
        assert fine(pool, tmp_path / "quick")
        assert len(unpackers(os.getpid()) - before) == 2
        os.kill(slow, signal.SIGCONT)
        assert result.result(PATIENCE)
    assert unpackers(os.getpid()) - before - {slow}
    assert not alive(slow)
    pool.close()


def test_what_can_not_be_done_is_told_as_without_a_pool(pool, tmp_path):
    with pytest.raises(Unreadable, match=r"there is no message\.eml") as caught:
        pool.unpack(MailFolder(tmp_path), Envelope())
    assert not caught.value.crashed


def test_a_killed_child_costs_only_its_own_mail(pool, tmp_path, slow_mail):
    assert fine(pool, tmp_path / "first")
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(pool.unpack, slow_mail, Envelope())
        os.kill(reader_of(slow_mail), signal.SIGKILL)
        with pytest.raises(Unreadable, match="process") as caught:
            result.result(PATIENCE)
    assert caught.value.crashed
    assert all(fine(pool, tmp_path / str(number)) for number in range(4))


def test_idle_children_killed_from_outside_are_replaced(pool, tmp_path):
    assert fine(pool, tmp_path / "first")
    for pid in unpackers(os.getpid()):
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not alive(pid))

    def works() -> bool:  # one mail may still be lost on a child that is just dying
        with suppress(Unreadable):
            return fine(pool, tmp_path / "next")
        return False

    until(works)
    assert all(fine(pool, tmp_path / str(number)) for number in range(4))


def test_a_mail_that_takes_too_long_is_given_up(tmp_path, slow_mail):
    pool = UnpackPool(1, Limits(seconds=0.5))
    try:
        assert fine(pool, tmp_path / "first")
        with pytest.raises(Unreadable, match=r"more than 0\.5 seconds") as caught:
            pool.unpack(slow_mail, Envelope())
        assert caught.value.crashed
        assert fine(pool, tmp_path / "next")
    finally:
        pool.close()


def test_a_mail_that_needs_too_much_memory_is_given_up(tmp_path):
    huge = folder_of(tmp_path / "huge", b"")
    with huge.raw.open("wb") as file:
        file.truncate(400 * MIB)  # mapping it is more than the child may have
    pool = UnpackPool(1, Limits(memory=300 * MIB, raw=900 * MIB))
    try:
        assert fine(pool, tmp_path / "first")
        with pytest.raises(Unreadable, match="memory") as caught:
            pool.unpack(huge, Envelope())
        assert caught.value.crashed
        assert fine(pool, tmp_path / "next")
    finally:
        pool.close()


def test_closing_ends_the_children(tmp_path):
    pool = UnpackPool(2)
    before = unpackers(os.getpid())
    assert fine(pool, tmp_path / "first")
    made = unpackers(os.getpid()) - before
    assert made
    pool.close()
    assert not any(alive(pid) for pid in made)


def test_closing_gives_up_what_is_in_work(pool, slow_mail, tmp_path):
    assert fine(pool, tmp_path / "first")
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(pool.unpack, slow_mail, Envelope())
        reader_of(slow_mail)
        pool.close()
        with pytest.raises(Unreadable):
            result.result(PATIENCE)
    with pytest.raises(Unreadable):
        fine(pool, tmp_path / "next")


def test_closing_while_children_start_is_quiet(tmp_path, capfd):
    for number in range(5):
        pool = UnpackPool(2)
        assert fine(pool, tmp_path / str(number))
        pool.close()
    assert capfd.readouterr().err == ""


PARENT = """
import sys
from pathlib import Path
from watcher.mail.pool import UnpackPool
from watcher.model import Envelope, MailFolder
pool = UnpackPool(2)
pool.unpack(MailFolder(Path(sys.argv[1])), Envelope())
print("ready", flush=True)
sys.stdin.read()
"""


def test_children_end_when_their_parent_is_killed(tmp_path):
    folder = folder_of(tmp_path / "m", PLAIN)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout.readline() == b"ready\n"
        made = unpackers(parent.pid)
        assert made
        parent.kill()
        parent.wait()
        until(lambda: not any(alive(pid) for pid in made))


def test_children_do_not_load_the_main_program(tmp_path):
    folder = folder_of(tmp_path / "m", PLAIN)
    program = tmp_path / "program.py"
    program.write_text(
        f"open({str(tmp_path / 'loaded')!r}, 'a').write('x')\nif __name__ == '__main__':\n"
        + "".join(f"    {line}\n" for line in PARENT.splitlines())
    )
    environment = os.environ | {"PYTHONPATH": str(Path(watcher.__file__).parents[1])}
    command = [sys.executable, str(program), str(folder.path)]
    subprocess.run(command, input=b"", env=environment, check=True, timeout=PATIENCE)
    assert (tmp_path / "loaded").read_text() == "x"
