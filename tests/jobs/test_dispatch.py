"""What stands before and after a run: finding the handler, refusing it, interrupting it, clearing up."""

import os
import resource
import subprocess
import threading
from pathlib import Path
from time import monotonic

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.model import Verdict
from watcher.store.removal import discard


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("#!/bin/sh\n", 0o644, "is not executable: chmod +x"),
        ("echo hello\n", 0o755, "is no program: a script begins with a line like #!/bin/sh"),
        ("", 0o755, "is no program"),
        ("#!/usr/bin/nowhere -x\n", 0o755, "names the interpreter '/usr/bin/nowhere', which is not there"),
        ("#!\n", 0o755, "names the interpreter ''"),
        ("#!/bin/sh\r\necho\r\n", 0o755, "has Windows line ends"),
        ("#!/bin/sh\n", 0o777, "can be written by others: chmod go-w"),
        ("#!/usr/bin/env no-such-language\n", 0o755, "exit 127 (a command was not found)"),
        ("#!/bin/sh\nno-such-command\n", 0o755, "exit 127 (a command was not found)"),
    ],
)
def test_a_handler_that_can_not_run_holds_its_mail(room, text, mode, reason):
    path = room.handlers / "book"
    path.write_text(text)
    path.chmod(mode)
    outcome = room.run("book")
    assert outcome.verdict is Verdict.HOLD
    assert reason in outcome.reason


def test_a_missing_handler_holds_its_mail(room):
    outcome = room.run("book")
    assert outcome.verdict is Verdict.HOLD
    assert "there is no handler book" in outcome.reason


def test_a_folder_that_others_may_write_holds_all_mail(room):
    room.script("book", "exit 0")
    room.handlers.chmod(0o777)
    outcome = room.run("book")
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason == f"{room.handlers} can be written by others: chmod go-w {room.handlers}"


def test_a_link_to_a_handler_elsewhere(room):
    elsewhere = room.root / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    tool = elsewhere / "tool"
    tool.write_text("#!/bin/sh\necho linked\n")
    tool.chmod(0o755)
    (room.handlers / "book").symlink_to(tool)
    assert room.run("book").output == "linked\n"
    elsewhere.chmod(0o757)
    assert room.run("book").verdict is Verdict.HOLD


def test_a_binary_is_a_handler(room):
    (room.handlers / "book").symlink_to("/bin/cat")
    assert room.run("book").output.startswith("From: Ann")


def test_a_mail_that_is_not_in_the_spool(room):
    room.script("book", "exit 0")
    work = room.work("book")
    room.mail("other")
    (room.spool / "m1").rename(room.spool / "gone")
    outcome = room.dispatcher.run(work)
    assert outcome.verdict is Verdict.NEVER
    assert "is not in the spool" in outcome.reason


@pytest.mark.parametrize("stdin", ["mail", "json", "none"])
@pytest.mark.parametrize(
    ("meddling", "verdict", "words"),
    [
        ("rm -f message.eml", Verdict.NEVER, "is not in the spool any more"),
        ("mv message.eml ..", Verdict.NEVER, "is not in the spool any more"),
        ('rm -rf "$PWD"', Verdict.NEVER, "is not in the spool any more"),
        ('rm -rf "$PWD"; touch "$PWD"', Verdict.NEVER, "is not in the spool any more"),
        ('mv "$PWD" ../away; ln -s away "$PWD"', Verdict.NEVER, "is not in the spool any more"),
        ("rm -f message.json", Verdict.LATER, "to be made anew"),
    ],
)
def test_a_handler_that_takes_the_mail_away(room, meddling, verdict, words, stdin):
    room.script("bad", f"chmod u+w . ; {meddling}")
    room.script("next", "exit 0")
    room.settings["next"] = HandlerSettings(stdin=stdin)
    work = room.work("next")
    assert room.run("bad").verdict is Verdict.DONE
    outcome = room.dispatcher.run(work)
    assert outcome.verdict is verdict
    assert words in outcome.reason


def test_a_machine_that_is_short_of_something_tries_later(room):
    room.script("book", "exit 0")
    work = room.work("book")
    room.dispatcher.run(work)  # its file has been looked at
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open() as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 2, before[1]))  # one more; a pipe takes two
        try:
            outcome = room.dispatcher.run(work)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (outcome.verdict, outcome.reason) == (Verdict.LATER, "could not be run: Too many open files")
    assert room.dispatcher.run(work).verdict is Verdict.DONE


def test_the_seal_does_not_follow_links(room):
    kept = room.root / "kept"
    kept.write_text("kept")
    kept.chmod(0o640)
    room.script("bad", f"chmod u+w . ; ln -s {kept} more")
    room.script("next", "exit 0")
    room.run("bad")
    assert room.run("next").verdict is Verdict.DONE
    assert kept.stat().st_mode & 0o777 == 0o640


DEEP = """#!/usr/bin/env python3
import os
os.chdir(os.environ.get("{place}", "."))
os.chmod(".", 0o700)
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
"""


@pytest.mark.parametrize("isolation", ["none", "sandbox"])
def test_directories_without_end_hurt_nobody(room, isolation):
    room.settings["bad"] = HandlerSettings(isolation=isolation)
    room.script("bad", DEEP.format(place="TMPDIR"))
    assert room.run("bad").verdict is Verdict.DONE
    assert list((room.root / "scratch").iterdir()) == []


def test_nor_do_they_in_a_mail_folder(room):
    room.settings["boxed"] = HandlerSettings(isolation="sandbox")
    room.script("bad", DEEP.format(place="PLACE"))
    room.script("next", "exit 0")
    room.python("boxed", "def handle(message): pass\n")
    assert room.run("bad").verdict is Verdict.DONE
    assert room.run("next").verdict is Verdict.DONE
    assert room.run("boxed").verdict is Verdict.NEVER
    discard(room.spool / "m1")


def start(room, name):
    """A run in a thread of its own, and the list its outcome will be in."""
    outcomes = []
    work = room.work(name)
    thread = threading.Thread(target=lambda: outcomes.append(room.dispatcher.run(work)))
    thread.start()
    return thread, outcomes


SLEEPERS = {
    "book": ("book", "#!/bin/sh\necho begun > {gate}\nexec sleep 600\n"),
    "warm": ("warm.py", "import time\ndef handle(m):\n    open('{gate}', 'w').write('begun')\n    time.sleep(600)\n"),
}


def sleeper(room, name):
    """A handler that says when it has begun, and then sleeps."""
    gate = room.root / "gate"
    os.mkfifo(gate)
    file, text = SLEEPERS[name]
    path = room.handlers / file
    path.write_text(text.format(gate=gate))
    path.chmod(0o755)
    return gate


@pytest.mark.parametrize("name", list(SLEEPERS))
def test_closing_interrupts_what_runs_and_uses_no_attempt(room, name):
    gate = sleeper(room, name)
    dispatcher = room.dispatcher
    thread, outcomes = start(room, name)
    gate.read_text()
    dispatcher.close()
    thread.join()
    assert outcomes[0].verdict is Verdict.HOLD
    assert outcomes[0].reason.startswith("interrupted")
    assert outcomes[0].delay == 1.0
    after = dispatcher.run(room.work(name))
    assert (after.verdict, after.reason) == (outcomes[0].verdict, outcomes[0].reason)


def test_an_interrupted_run_is_quick_even_if_others_follow(room):
    gate = sleeper(room, "book")
    thread, outcomes = start(room, "book")
    gate.read_text()
    began = monotonic()
    room.dispatcher.close()
    thread.join()
    assert outcomes[0].reason.startswith("interrupted")
    assert monotonic() - began < 30


def test_what_a_killed_daemon_left_is_cleared_at_the_start(room):
    """A handler of an earlier life works on: it must not work beside its own repeat."""
    room.script("book", "env | grep WATCHER_RUN")
    tag = room.run("book").output.strip().partition("=")[2]
    room.dispatcher.close()
    old = tag.rpartition("-")[0] + "-4711"
    left = room.root / "scratch" / old
    (left / "deep").mkdir(parents=True)
    (left / "deep").chmod(0)
    left.with_suffix(".actions").write_text("{}")
    other = {"WATCHER_RUN": "0123456789abcdef-1", "PATH": os.environ["PATH"]}
    with (
        subprocess.Popen(["sleep", "600"], env={**other, "WATCHER_RUN": old}, start_new_session=True) as stray,
        subprocess.Popen(["sleep", "600"], env=other, start_new_session=True) as foreign,
    ):
        try:
            room.open()
            assert stray.wait(10) == -9
            assert foreign.poll() is None
        finally:
            foreign.kill()
            stray.kill()
    assert not list((room.root / "scratch").iterdir())


def test_no_room_for_temporary_files_uses_no_attempt(room):
    room.script("book", "exit 0")
    dispatcher = room.dispatcher
    (room.root / "scratch").rmdir()
    outcome = dispatcher.run(room.work("book"))
    (room.root / "scratch").mkdir()
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason.startswith("no directory for its temporary files")


def test_settings_are_those_of_the_name(room):
    room.settings["book"] = HandlerSettings(env={"TO": "/a"})
    room.script("book", 'echo "$TO"')
    room.script("file", 'echo "${TO-unset}"')
    assert [room.run("book").output, room.run("file").output] == ["/a\n", "unset\n"]


def test_a_handler_sees_nothing_of_the_daemon_s_environment(room, monkeypatch):
    monkeypatch.setenv("CANARY", "secret")
    room.script("book", "env")
    room.python("warm", "import os\ndef handle(message): print(dict(os.environ))\n")
    for name in ("book", "warm"):
        assert "CANARY" not in room.run(name).output
    assert Path(os.environ["HOME"]).is_absolute()
