"""
Programs that do their worst (the torture set), at each level they can be kept apart at: each ends as stated, and
nothing of it is left: no process, no descriptor, no file.
"""

import os
import re
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

import pytest

from tests.jobs.conftest import Room
from tests.system.processes import using
from watcher.config.handlers import HandlerSettings
from watcher.jobs.contract import verdict
from watcher.model import Place, Verdict
from watcher.store.removal import discard

DONE, LATER, CRASHED, HOLD = Verdict.DONE, Verdict.LATER, Verdict.CRASHED, Verdict.HOLD

#: As another user only root can start anything; tests/prepare.sh says so.
LEVELS = {"none": {}, "sandbox": {"isolation": "sandbox"}}
if os.geteuid() == 0:
    LEVELS["user"] = {"isolation": "user", "user": "games"}


@pytest.fixture(params=LEVELS)
def level(request):
    return request.param


@pytest.fixture
def room(level, wait_until):
    """A room that other users can enter, which those of pytest are not; nothing may be left there."""
    root = Path(tempfile.mkdtemp(prefix="watcher-torture-"))
    root.chmod(0o755)
    room = Room(root)
    for folder in (room.handlers, room.spool):
        folder.mkdir()
        folder.chmod(0o755)
    room.open()
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield room
    wait_until(lambda: not using(room.root), 30)
    wait_until(lambda: not list((root / "scratch").iterdir()), 30)
    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before, 30)  # the look for strays opens some
    room.dispatcher.close()
    assert not [path for path in Path("/dev/shm").glob("imap-watcher-*") if room.dispatcher._strays.knows(tag(path))]
    discard(root)


def tag(path):
    return path.name.removeprefix("imap-watcher-").partition(".")[0]


def torment(room, level, text, name="book", raw=None, **settings):
    """Run a script once."""
    room.settings[name] = HandlerSettings(**{**LEVELS[level], **settings})
    room.script(name, text)
    if raw is not None and not (room.spool / "big").exists():
        room.mail("big", raw=raw)
    return room.run(name, key="m1" if raw is None else "big")


@dataclass(frozen=True)
class Row:
    """One handler of the torture set."""

    name: str
    script: str
    verdicts: tuple[Verdict, ...]
    reason: str = ""  #: pattern that its reason fits, from the beginning on
    output: str = ""  #: pattern found in what it printed
    settings: dict = field(default_factory=dict)
    raw: bytes | None = None
    levels: tuple[str, ...] = tuple(LEVELS)


BIG = b"x" * 10_000_000
APART = tuple(level for level in LEVELS if level != "none")

ROWS = [
    Row("never reads its input", "exit 0", (DONE,), raw=BIG),
    Row("never reads its input and fails", "exit 3", (LATER,), "exit 3", raw=BIG),
    Row("closes its input half way", "head -c 100000 >/dev/null; exec <&-; exit 0", (DONE,), raw=BIG),
    Row("writes to its input", "echo spoiled >&0 || exit 3", (LATER,), "exit 3"),
    Row("floods both outputs", "yes out & yes error >&2; wait", (CRASHED,), "printed more than", "bytes left out",
        {"output": 2 << 20}),
    Row("floods just before its end", "head -c 500000 /dev/zero | tr '\\0' x; echo; echo last; exit 5", (LATER,),
        "exit 5: last", "\nlast\n$"),
    Row("clears up at the polite signal", "trap 'echo cleared; exit 0' TERM; sleep 60 & wait", (CRASHED,), "ran longer",
        "cleared\n", {"timeout": 1}),
    Row("sleeps for ever", "exec sleep 600", (CRASHED,), "ran longer", settings={"timeout": 0.2}),
    Row("is busy for ever", "while :; do :; done", (CRASHED,), "ran longer", settings={"timeout": 0.2}),
    Row("leaves a child that keeps its output", "sleep 600 & echo ok", (DONE,), output="^ok\n$"),
    Row("leaves a child that fled its group", "setsid sleep 600 & echo ok", (DONE,), output="^ok\n$"),
    Row("forks twice, flees, and ignores signals", "(setsid sh -c 'trap \"\" TERM; sleep 600' &) & echo ok", (DONE,),
        output="ok\n"),
    Row("forks hundreds", "i=0; while [ $i -lt 300 ]; do sleep 600 & i=$((i+1)); done; wait", (CRASHED, LATER),
        settings={"timeout": 1, "processes": 100}),
    Row("takes 8 GB", "head -c 8G /dev/zero | tail", (LATER,), settings={"memory": 64 << 20}),
    Row("writes 100 GB", 'exec head -c 100G /dev/zero >"$TMPDIR/big"', (CRASHED,), "killed by SIGXFSZ",
        settings={"file_size": 1 << 20}),
    Row("writes where it may not", "echo spoiled >message.eml || exit 3", (LATER,), "exit 3", levels=APART),
    Row("leaves locked directories", 'mkdir -p "$TMPDIR/a/b"; touch "$TMPDIR/a/b/c"; chmod 0 "$TMPDIR/a/b" "$TMPDIR/a"',
        (DONE,)),
    Row("looks for open files", "ls /proc/self/fd | sort -n | xargs", (DONE,), output="^0 1 2 3\n$"),
    Row("leaves a core", "ulimit -c; kill -SEGV $$", (CRASHED,), "killed by SIGSEGV", "^0\n$"),
    Row("looks for rights", "grep NoNewPrivs /proc/self/status; umask", (DONE,), output="1\n0077\n$"),
    Row("exits 126", "exit 126", (HOLD,), "exit 126"),
    Row("exits 127", "exec no-such-command", (HOLD,), "exit 127"),
    Row("exits 78", "echo no address is set; exit 78", (HOLD,), "exit 78 .*: no address is set"),
    Row("has a bad interpreter", "#!/no/such\n", (HOLD,), ".*names the interpreter"),
    Row("prints what is no text", r"""printf 'a\000b\377\033[31m\r\n{"verdict": "never"}\n'; exit 0""", (DONE,),
        output=r'^a\\x00b\\xff\\x1b\[31m\n\{"verdict": "never"\}\n$'),
    Row("kills its group", "kill -KILL 0", (CRASHED,), "killed by SIGKILL", levels=("none", "user")),
    Row("kills its group in a sandbox", "kill -KILL 0; exit 3", (CRASHED,), "killed by SIGKILL", levels=("sandbox",)),
    Row("kills its parent", "kill -KILL $PPID; exit 3", (LATER,), "exit 3", levels=APART),
    Row("kills all in a sandbox", "kill -KILL -1; exit 3", (LATER,), "exit 3", levels=("sandbox",)),
    Row("kills all of its user", "kill -KILL -1; exit 3", (LATER,), "exit 3", settings={"user": "news"},
        levels=APART[1:]),
    Row("reads the daemon's memory",
        "for file in mem maps environ fd/0; do head -c 1 /proc/$DAEMON/$file && exit 3; done; exit 0",
        (DONE,), settings={"env": {"DAEMON": str(os.getpid())}}, levels=APART),
]  # fmt: skip


@pytest.mark.parametrize(
    ("level", "row"),
    [pytest.param(level, row, id=f"{level}: {row.name}") for level in LEVELS for row in ROWS if level in row.levels],
)
def test_row(level, row, room):
    outcome = torment(room, level, row.script, raw=row.raw, **row.settings)
    assert outcome.verdict in row.verdicts, outcome
    assert re.match(row.reason, outcome.reason), outcome
    assert re.search(row.output, outcome.output), outcome


@pytest.mark.parametrize(("stdin", "expected"), [("mail", "From: Ann"), ("json", '{"contract"'), ("none", "")])
def test_input_as_set(level, room, stdin, expected):
    output = torment(room, level, "head -c 1000", stdin=stdin).output
    assert output.startswith(expected)
    assert bool(output) == bool(expected)


def test_one_that_is_not_executable(level, room):
    room.settings["book"] = HandlerSettings(**LEVELS[level])
    room.script("book", "exit 0", mode=0o644)
    assert room.run("book").verdict is HOLD


#: Signals that do nothing to a shell without a terminal; 19 stops it, and its time runs out.
HARMLESS = {17, 18, 20, 21, 22, 23, 28}


def test_every_exit_code_and_signal(level, room):
    """Out of a sandbox an exit of 128 and more can't be told from a signal, and counts as one."""
    for name, timeout in (("end", 60), ("kill", 3), ("deaf", 2)):
        room.settings[name] = HandlerSettings(**LEVELS[level], timeout=timeout)
    room.script("deaf", "trap '' TERM; while :; do sleep 1; done")
    room.script("end", "exit $WATCHER_UID")
    room.script("kill", "kill -$WATCHER_UID $$; exit 0")
    room.mail()

    def run(name, number):
        return room.run(name, place=Place("support", "INBOX", 7, number))

    with ThreadPoolExecutor(8) as pool:
        deaf = pool.submit(run, "deaf", 0)
        signals = pool.map(lambda number: run("kill", number), range(1, 32))
        codes = pool.map(lambda code: run("end", code), range(256))
    for code, outcome in enumerate(codes):
        expected = CRASHED if level == "sandbox" and 128 < code <= 192 else verdict(code)
        assert outcome.verdict is expected, (code, outcome)
    for number, outcome in enumerate(signals, 1):
        expected = "" if number in HARMLESS else "ran longer" if number == 19 else f"killed by {Signals(number).name}"
        assert outcome.reason.startswith(expected), (number, outcome)
        assert outcome.verdict is (CRASHED if expected else DONE)
    assert deaf.result().reason.startswith("ran longer")


def test_the_fled_child_of_a_living_run_is_let_be(level, room):
    """What a run has put into the background works on until that run is over, whatever other runs end meanwhile."""
    room.script(
        "slow",
        "setsid sh -c 'sleep 1.5; echo yes >\"$TMPDIR/done\"' >/dev/null 2>&1 & "
        'while [ ! -s "$TMPDIR/done" ]; do sleep 0.1; done',
    )
    room.script("quick", "exit 0")
    room.settings |= {name: HandlerSettings(**LEVELS[level]) for name in ("slow", "quick")}
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(room.run("slow")))
    room.mail()
    thread.start()
    while thread.is_alive():
        room.run("quick")
        thread.join(0.1)
    assert outcomes[0].verdict is DONE


def test_many_at_once(level, room):
    room.settings |= {"book": HandlerSettings(**LEVELS[level]), "warm": HandlerSettings(**LEVELS[level])}
    names = ["book", "book"] if level == "user" else ["book", "warm"]  # as another user our Python may be out of reach
    room.script("book", "cat; exit 0")
    room.python("warm", "def handle(message): print(message.key)\n")
    room.mail()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(room.run, names * 20))
    assert [outcome.verdict for outcome in outcomes] == [DONE] * 40, outcomes
    room.dispatcher.close()
