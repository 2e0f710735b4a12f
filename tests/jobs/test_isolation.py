"""What a handler that is kept apart can reach, and what becomes of one that can't be kept apart as asked."""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.jobs.conftest import Room
from watcher.config.handlers import HandlerSettings
from watcher.config.secret import CommandSource, FileSource
from watcher.jobs import sandbox
from watcher.jobs.dispatch import Dispatcher
from watcher.jobs.own_user import Owner, open_way
from watcher.jobs.program import CannotStart
from watcher.model import Action, Verb, Verdict
from watcher.outbox.enclosures import below, enclosure
from watcher.store.removal import discard
from watcher.wishes import Correspondence

BOXED = {"isolation": "sandbox"}
OWN = {"isolation": "user", "user": "games"}
AS_ROOT = [pytest.param(OWN, id="user")] if os.geteuid() == 0 else []
APART = [pytest.param(BOXED, id="sandbox"), *AS_ROOT]
ALL = [pytest.param({}, id="none"), *APART]


@pytest.fixture
def room():
    """A room that other users can enter, which those of pytest are not."""
    root = Path(tempfile.mkdtemp(prefix="watcher-isolation-"))
    room = Room(root)
    for folder in (room.handlers, room.spool):
        folder.mkdir()
        folder.chmod(0o755)
    room.open()
    yield room
    room.dispatcher.close()
    discard(root)


def outcome(room, text, name="book", **settings):
    room.settings[name] = HandlerSettings(**settings)
    room.script(name, text)
    return room.run(name)


@pytest.mark.parametrize("level", ALL)
def test_what_lies_beside_it_is_found(room, level):
    elsewhere = room.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.txt").write_text("linked ")
    (room.handlers / "lib").mkdir()
    (room.handlers / "lib" / "inner.txt").write_text("inner ")
    (room.handlers / "plain.txt").write_text("plain ")
    (room.handlers / "linked.txt").symlink_to(elsewhere / "linked.txt")
    room.root.chmod(0o755)
    found = outcome(room, 'cd "$(dirname "$0")"; cat plain.txt lib/inner.txt linked.txt', **level)
    assert found.output == "plain inner linked ", found


@pytest.mark.parametrize("level", APART)
def test_what_is_not_its_own_is_out_of_reach(room, level):
    room.mail("other")
    (room.root / "ledger.db").write_text("all mails")
    home = Path.home() / f".watcher-canary-{os.getpid()}"
    home.write_text("key")
    hidden = [room.root / "ledger.db", room.spool / "other" / "message.eml", home, "/etc/shadow"]
    try:
        found = outcome(room, "".join(f"cat {path} && exit 3\n" for path in hidden) + "exit 0", **level)
    finally:
        home.unlink()
    assert found.verdict is Verdict.DONE, found
    assert outcome(room, "cat message.eml body.txt attachments/* >/dev/null", "own", **level).verdict is Verdict.DONE


def test_a_sandbox_sees_no_process_but_its_own(room):
    assert outcome(room, "ls /proc | grep -c '^[0-9]'; kill -0 -1 2>&1", **BOXED).output.startswith(("4\n", "5\n"))


def test_a_sandbox_may_write_nowhere_but_where_it_may(room, tmp_path):
    for name in ("open", "shown"):
        (tmp_path / name).mkdir()
    (tmp_path / "shown" / "rates").write_text("1.07")
    mark = f"mark-of-{room.root.name}"
    text = f"""
        cat {tmp_path}/shown/rates
        for place in /usr / /etc {tmp_path}/shown . ; do touch $place/x && exit 3; done
        for place in /tmp /var/tmp /dev/shm $TMPDIR $HOME $WATCHER_STATE {tmp_path}/open; do
            touch $place/{mark} || exit 4
        done
    """
    found = outcome(room, text, **BOXED, readable=(tmp_path / "shown",), writable=(tmp_path / "open",))
    assert found.verdict is Verdict.DONE, found
    assert found.output.startswith("1.07")
    assert (tmp_path / "open" / mark).exists()
    assert not [place for place in ("/tmp", "/var/tmp", "/dev/shm") if Path(place, mark).exists()]


@pytest.mark.parametrize(("network", "verdict"), [(False, Verdict.LATER), (True, Verdict.DONE)])
def test_a_sandbox_has_no_network_unless_it_is_given(room, network, verdict):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = f"#!/usr/bin/perl\nuse IO::Socket::INET; IO::Socket::INET->new('127.0.0.1:{port}') or exit 1;\n"
        assert outcome(room, text, **BOXED, network=network).verdict is verdict


def test_a_path_that_is_not_there_holds_the_mail(room):
    found = outcome(room, "exit 0", **BOXED, writable=(Path("/no/such"),))
    assert (found.verdict, found.reason) == (Verdict.HOLD, "/no/such, which its sandbox is to show, is not there")


def test_without_bubblewrap_nothing_runs(room, monkeypatch):
    monkeypatch.setattr(sandbox, "PATH", "/nowhere")
    ran = room.root / "ran"
    found = outcome(room, f"touch {ran}", **BOXED)
    assert found.verdict is Verdict.HOLD
    assert found.reason.endswith("install the package bubblewrap")
    assert not ran.exists()


def test_a_sandbox_that_can_not_be_built_holds_the_mail(room, monkeypatch):
    monkeypatch.setattr(sandbox, "FLAGS", (*sandbox.FLAGS, "--ro-bind", "/no/such", "/x"))
    found = outcome(room, "exit 0", **BOXED)
    assert found.verdict is Verdict.HOLD
    assert found.reason.startswith("its sandbox could not be set up: Can't find source path /no/such")


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("bwrap: setting up uid map: Permission denied", True),
        ("bwrap: No permissions to create new namespace, likely because ...", True),
        ("bwrap: Can't mkdir /x: Read-only file system", False),
    ],
)
def test_what_a_kernel_refuses_is_told_with_the_cure(line, cure):
    assert ("allow user namespaces" in sandbox.refusal(1, line + "\n")) is cure
    assert sandbox.refusal(1, "working\n" + line) is None
    assert sandbox.refusal(2, line) is None


@pytest.mark.parametrize("user", ["no-such-user", "root"])
def test_a_user_that_can_not_be(room, user):
    assert outcome(room, "exit 0", isolation="user", user=user).verdict is Verdict.HOLD


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ALL)
def test_secrets_are_files_of_this_run_alone(room, level):
    secrets = {"token": CommandSource(("echo", "hunter2"))}
    text = 'stat -c %a "$WATCHER_SECRETS/token"; cat "$WATCHER_SECRETS/token"; echo; env; echo "at $WATCHER_SECRETS"'
    found = outcome(room, text, **level, secrets=secrets)
    assert found.output.startswith("400\nhunter2\n"), found
    assert found.output.count("hunter2") == 1
    place = Path(found.output.split("at ")[-1].strip())
    assert place.parent == Path("/dev/shm")
    assert not place.exists()


def test_a_secret_that_can_not_be_had_holds_the_mail_and_is_asked_for_again(room):
    file = room.root / "token"
    secrets = {"token": FileSource(file, "secret")}
    assert outcome(room, 'cat "$WATCHER_SECRETS/token"', secrets=secrets).verdict is Verdict.HOLD
    file.write_text("hunter2\n")
    file.chmod(0o600)
    assert room.run("book").output == "hunter2"


@pytest.mark.parametrize("level", [{}, BOXED], ids=["none", "sandbox"])
def test_a_warm_process_has_them_when_it_is_loaded(room, level):
    room.settings["warm"] = HandlerSettings(**level, secrets={"token": CommandSource(("echo", "hunter2"))})
    room.python(
        "warm",
        """
import os
from pathlib import Path
def token():
    return Path(os.environ["WATCHER_SECRETS"], "token").read_text()
first = token()
def handle(message):
    print(first, token(), message.subject, [path.name for path in message.path.parent.iterdir()])
    Path(os.environ["TMPDIR"], "x").write_text("x")
    message.seen()
""",
    )
    for key in ("m1", "m2"):
        found = room.run("warm", key=key)
        assert found.output.startswith("hunter2 hunter2 Invoice 7 ["), found
        assert len(found.actions) == 1
        if level:
            assert found.output.count(",") == 0  # the mail of this run alone
    room.dispatcher.close()
    assert not list((room.root / "scratch").iterdir())


# --- as another user -------------------------------------------------------------------------------------------------


def test_the_way_is_opened_within_the_state_only(tmp_path):
    found = next(user for user in map(pwd.getpwnam, ("games", "news")) if user.pw_uid != os.geteuid())
    owner = Owner("games", found.pw_uid, found.pw_gid, frozenset({found.pw_gid}))
    root = Path(tempfile.mkdtemp(prefix="watcher-way-"))
    state, ledger, inner = root / "state", root / "state" / "ledger.db", root / "state" / "scratch" / "x"
    inner.mkdir(parents=True)
    ledger.write_text("")
    ledger.chmod(0o644)
    inner.chmod(0o755)
    inner.parent.chmod(0o700)
    state.chmod(0o700)
    root.chmod(0o700)
    with pytest.raises(CannotStart, match=f"user games can't reach {inner}: {root} is closed to it"):
        open_way(inner, owner, state)
    root.chmod(0o755)
    open_way(inner, owner, state)
    assert [path.stat().st_mode & 0o777 for path in (state, inner.parent, ledger)] == [0o711, 0o711, 0o600]
    inner.chmod(0o700)
    with pytest.raises(CannotStart, match=r"may not read .*: chmod o\+r it"):
        open_way(inner, owner, state)
    discard(root)


WARM = """
import sys
from pathlib import Path
from tests.jobs.conftest import Room
from watcher.config.handlers import HandlerSettings
room = Room(Path(sys.argv[1]))
room.open()
room.settings["warm"] = HandlerSettings(isolation="user", user="games")
for _ in range(2):
    found = room.run("warm")
    print(found.verdict, found.reason, found.output)
room.dispatcher.close()
"""


@pytest.mark.parametrize("level", AS_ROOT)
def test_a_warm_process_of_another_user(room, level):
    """In a place where our Python, which may lie in a home directory, can be reached by that user."""
    room.python("warm", "import os\nprint(os.getpid())\ndef handle(message): print(os.getuid(), message.subject)\n")
    room.mail()
    home = Path.home()
    way = ["bwrap", "--dev-bind", "/", "/", "--perms", "0711", "--tmpfs", str(home)]
    for place in {Path(sys.base_prefix), Path(sys.prefix), Path.cwd()}:
        if place.is_relative_to(home):
            for parent in reversed(place.relative_to(home).parents):
                way += ["--perms", "0711", "--dir", str(home / parent)]
            way += ["--bind", str(place), str(place)]
    argv = [*way, sys.executable, "-c", WARM, str(room.root)]
    found = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    uid = pwd.getpwnam("games").pw_uid
    assert found.stdout.count(f"{uid} Invoice 7") == 2, found
    assert found.stdout.startswith("done"), found


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        *(("script", level.values[0]) for level in ALL),
        *(("python", level) for level in ({}, BOXED)),  # another user may not reach this interpreter
    ],
)
def test_a_file_named_by_its_whole_path_can_be_sent(room, kind, level):
    """The mail, what it made in its own directory, what it keeps: wherever the handler sees it."""
    sent = []
    room.root.chmod(0o755)
    dispatcher = Dispatcher(
        room.settings_of,
        room.handlers,
        room.spool,
        write=lambda *wanted: sent.append(letter(*wanted)) or Correspondence(),
    )
    room.dispatchers.append(dispatcher)
    room.settings["book"] = HandlerSettings(**level, timeout=60.0)
    if kind == "script":
        room.script("book", SCRIPT)
    else:
        room.python("book", PYTHON)
    for key in ("m1", "m2"):
        done = dispatcher.run(room.work("book", key=key))
        assert done.verdict is Verdict.DONE, done
    assert sent == [[b"%PDF-1.4 small", b"made for m1", b"kept"], [b"%PDF-1.4 small", b"made for m2", b"kept"]]


def letter(work, requests, roots):
    """What its files hold, as they can be had when the run is over."""
    (request,) = requests
    return [b"".join(enclosure(*below(name, tuple(roots)), name).blocks()) for name in request.attachments]


SCRIPT = """#!/bin/sh
name=$(cat "$WATCHER_STATE/count" 2>/dev/null || echo m1); echo m2 >"$WATCHER_STATE/count"
printf 'made for %s' "$name" >"$TMPDIR/made.pdf"
printf kept >"$WATCHER_STATE/kept.pdf"
printf '{"action": "reply", "text": "x", "attachments": ["%s", "%s", "%s"]}\\n' \\
    "$PWD/attachments/bill.pdf" "$TMPDIR/made.pdf" "$WATCHER_STATE/kept.pdf" >"$WATCHER_ACTIONS"
"""

PYTHON = """
import os
from pathlib import Path

def handle(message):
    kept, made = Path(os.environ["WATCHER_STATE"]), Path(os.environ["TMPDIR"], "made.pdf")
    name = (kept / "count").read_text() if (kept / "count").exists() else "m1"
    (kept / "count").write_text("m2")
    made.write_text(f"made for {name}")
    (kept / "kept.pdf").write_text("kept")
    message.answer("x", attachments=[Path("attachments/bill.pdf").resolve(), made, kept / "kept.pdf"])
"""


def three(room):
    """The works of three mails."""
    return [replace(room.work("many", key), id=number) for number, key in enumerate(("m1", "m2", "m3"))]


@pytest.mark.parametrize("level", APART)
def test_all_mails_of_a_batch_are_there_and_may_not_be_changed(room, level):
    room.settings["many"] = HandlerSettings(batch=30.0, **level)
    room.script(
        "many",
        'while read -r mail; do wc -c < "$mail/message.eml"; basename "$mail"; echo spoilt > "$mail/body.txt"; done '
        '< "$WATCHER_BATCH"; ls "$(dirname "$PWD")"',
    )
    outcomes = [outcome for _, outcome in room.dispatcher.run_batch(three(room))]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.DONE}, outcomes[0]
    size = str((room.spool / "m1" / "message.eml").stat().st_size)
    shown = [line for line in outcomes[0].output.splitlines() if "cannot" not in line]
    assert shown == [size, "m1", size, "m2", size, "m3", "m1", "m2", "m3"]
    assert {(room.spool / key / "body.txt").read_text() for key in ("m1", "m2", "m3")} == {"Please pay.\n"}
    assert not any((room.spool.parent / "scratch").iterdir())


def test_python_in_a_sandbox_is_given_a_list_each_time(room):
    room.settings["many"] = HandlerSettings(batch=30.0, **BOXED)
    room.python(
        "many",
        "import uuid\nMARK = uuid.uuid4()\ndef handle(messages):\n"
        "    print(MARK, *(m.path.name + str(len(m.raw)) for m in messages))\n    messages[1].move('Done')\n",
    )
    works = three(room)
    size = (room.spool / "m1" / "message.eml").stat().st_size
    runs = [[outcome for _, outcome in room.dispatcher.run_batch(works)] for _ in range(2)]
    assert {outcome.actions for outcomes in runs for outcome in outcomes} == {(Action(Verb.MOVE, "Done"),)}, runs[0]
    (first, *mails), (second, *again) = (outcomes[0].output.split() for outcomes in runs)
    assert first == second
    assert mails == again == [f"{key}{size}" for key in ("m1", "m2", "m3")]
