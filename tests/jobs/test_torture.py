"""Programs that do their worst (the torture set at level 0): each ends as stated, and nothing of it is left."""

import threading
from pathlib import Path

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.model import Verdict


def marked(room):
    """The processes that carry a tag of this room in their environment."""
    spool = str(room.spool).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if b"WATCHER_RUN=" in (text := path.read_bytes()) and spool in text:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left(room, wait_until):
    """No process, file descriptor or file outlives a run."""
    dispatcher = room.dispatcher
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    wait_until(lambda: not marked(room), 2.0)
    assert not list((room.root / "scratch").iterdir())
    assert dispatcher is room.dispatcher


def test_never_reads_its_input(room):
    room.script("book", "exit 0")
    room.mail("big", raw=b"x" * 10_000_000)
    assert room.run("book", key="big").verdict is Verdict.DONE


def test_closes_its_input_half_way(room):
    room.script("book", "head -c 100000 >/dev/null; exec <&-; exit 0")
    room.mail("big", raw=b"x" * 10_000_000)
    assert room.run("book", key="big").verdict is Verdict.DONE


@pytest.mark.parametrize(("stdin", "expected"), [("mail", "From: Ann"), ("json", '{"contract"'), ("none", "")])
def test_input_as_set(room, stdin, expected):
    room.settings["book"] = HandlerSettings(stdin=stdin)
    room.script("book", "head -c 1000")
    output = room.run("book").output
    assert output.startswith(expected)
    assert bool(output) == bool(expected)


def test_its_input_can_not_be_written(room):
    room.script("book", "echo spoiled >&0 || exit 3")
    assert room.run("book").reason.startswith("exit 3")


def test_floods_both_outputs(room):
    room.settings["book"] = HandlerSettings(output=2 << 20)
    room.script("book", "yes out & yes error >&2; wait")
    outcome = room.run("book")
    assert outcome.verdict is Verdict.CRASHED
    assert "bytes left out" in outcome.output


def test_floods_just_before_its_end_all_the_same(room):
    room.script("book", "head -c 500000 /dev/zero | tr '\\0' x; echo; echo last; exit 5")
    outcome = room.run("book")
    assert outcome.reason == "exit 5: last"
    assert outcome.output.endswith("last\n")


def test_ignores_the_polite_signal(room):
    room.settings["book"] = HandlerSettings(timeout=0.2)
    room.script("book", "trap '' TERM; echo $$; while :; do sleep 1; done")
    outcome = room.run("book")
    assert outcome.verdict is Verdict.CRASHED
    assert "ran longer" in outcome.reason
    assert not Path(f"/proc/{int(outcome.output)}").exists()


def test_may_clear_up_at_the_polite_signal(room):
    room.settings["book"] = HandlerSettings(timeout=0.3)
    room.script("book", "trap 'echo cleared; exit 0' TERM; sleep 60 & wait")
    outcome = room.run("book")
    assert outcome.verdict is Verdict.CRASHED
    assert outcome.output == "cleared\n"


def test_leaves_a_child_that_keeps_its_output(room):
    room.script("book", "sleep 600 & echo ok")
    outcome = room.run("book")
    assert (outcome.verdict, outcome.output) == (Verdict.DONE, "ok\n")


@pytest.mark.parametrize("daemon", ["setsid sleep 600 &", "(setsid sh -c 'trap \"\" TERM; sleep 600' &)"])
def test_leaves_a_child_that_fled_its_group(room, daemon):
    room.script("book", f"{daemon}\necho ok")
    assert room.run("book").verdict is Verdict.DONE


def test_the_fled_child_of_a_living_run_is_let_be(room):
    """What a run has put into the background works on until that run is over, whatever other runs end meanwhile."""
    done = room.root / "done"
    room.script(
        "slow", f"setsid sh -c 'sleep 1.5; echo yes > {done}' >/dev/null 2>&1 & while [ ! -s {done} ]; do :; done"
    )
    room.script("quick", "exit 0")
    room.settings["slow"] = HandlerSettings(timeout=10)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(room.run("slow")))
    room.mail()
    thread.start()
    while thread.is_alive():
        room.run("quick")
        thread.join(0.1)
    assert outcomes[0].verdict is Verdict.DONE


def test_kills_its_own_group(room):
    room.script("book", "kill -KILL 0")
    assert room.run("book").reason == "killed by SIGKILL"


def test_a_fork_bomb_of_some_hundred(room):
    room.settings["book"] = HandlerSettings(timeout=1)
    room.script("book", "i=0; while [ $i -lt 300 ]; do sleep 600 & i=$((i+1)); done; wait")
    assert room.run("book").verdict is Verdict.CRASHED


def test_many_at_once(room):
    room.script("book", "cat; exit 0")
    room.python("warm", "def handle(message): print(message.key)\n")
    room.mail()
    outcomes = []
    threads = [
        threading.Thread(target=lambda name=name: outcomes.extend(room.run(name) for _ in range(5)))
        for name in ("book", "warm") * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.verdict for outcome in outcomes] == [Verdict.DONE] * 40
    room.dispatcher.close(0)
