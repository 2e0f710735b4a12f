"""Warm Python handlers: one process for many mails, and when it is replaced."""

import os
import threading
from pathlib import Path

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs import host
from watcher.model import Action, Verb, Verdict

PID = "import os\ndef handle(message): print(os.getpid())\n"


def pid(room, name="book", **fields):
    outcome = room.run(name, **fields)
    assert outcome.verdict is Verdict.DONE, outcome
    return int(outcome.output)


def test_it_stays_warm(room):
    room.python("book", PID)
    assert len({pid(room, key=key) for key in ("a", "b", "c")}) == 1


def test_the_message(room):
    room.python(
        "book",
        """
from datetime import datetime
from watcher import Address, Attachment, Message

def handle(message: Message) -> None:
    assert message.subject == "Invoice 7"
    assert message.sender == "ann@example.org"
    assert message.from_ == (Address("Ann", "ann@example.org"),)
    assert message.header("subject") == "Invoice 7" and message.header("x") is None
    assert message.received == datetime.fromisoformat("2026-11-21T10:00:00+00:00")
    assert (message.account, message.folder, message.uidvalidity, message.uid) == ("support", "INBOX", 7, 42)
    assert message.text == "Please pay.\\n" and message.html is None
    assert message.raw.startswith(b"From: Ann")
    assert message.path.name == "m1" and (message.path / "message.eml").exists()
    [bill] = message.attachments
    assert isinstance(bill, Attachment) and bill.name == "../bill.pdf"
    assert bill.path.read_bytes() == b"%PDF-1.4 small"
    assert len(message.key) == 32 and message.attempt == 2
    message.seen()
    message.flag("$Booked")
    message.note("done")
    message.move("Größe")
    message.delete()
    print(message)
""",
    )
    outcome = room.run("book", attempt=2)
    assert outcome.verdict is Verdict.DONE, outcome
    assert outcome.output == "<Message support/INBOX 42: 'Invoice 7'>\n"
    assert outcome.reason == "done"
    assert outcome.actions == (
        Action(Verb.SEEN),
        Action(Verb.FLAG, "$Booked"),
        Action(Verb.MOVE, "Größe"),
        Action(Verb.DELETE),
    )


@pytest.mark.parametrize(
    ("line", "verdict", "reason", "delay"),
    [
        ("return None", Verdict.DONE, "", None),
        ("return Later(90, 'closed')", Verdict.LATER, "closed", 90.0),
        ("raise Later(90, 'closed')", Verdict.LATER, "closed", 90.0),
        ("return Later()", Verdict.LATER, "", None),
        ("raise Later(float('nan'))", Verdict.LATER, "", None),
        ("return Later('soon')", Verdict.LATER, "ValueError: could not convert string to float: 'soon'", None),
        ("return Stop()", Verdict.STOP, "", None),
        ("raise Stop('enough')", Verdict.STOP, "enough", None),
        ("return Reject('no PDF')", Verdict.NEVER, "no PDF", None),
        ("raise Reject('a\\nb\\x1b')", Verdict.NEVER, "a b\\x1b", None),
        ("return True", Verdict.NEVER, "handle() returned bool; it returns None, Later, Stop or Reject", None),
        ("raise KeyboardInterrupt", Verdict.LATER, "KeyboardInterrupt: ", None),
        ("os._exit(0)", Verdict.CRASHED, "ended its process with exit 0 instead of returning", None),
        ("os.closerange(3, 100); time.sleep(60)", Verdict.CRASHED, "closed its link to the daemon", None),
    ],
)
def test_what_it_may_return_or_raise(room, line, verdict, reason, delay):
    room.python("book", f"import os, time\nfrom watcher import *\ndef handle(message):\n    {line}\n")
    outcome = room.run("book")
    assert outcome.verdict is verdict
    assert outcome.reason.startswith(reason.strip())
    assert outcome.delay == delay


def test_an_exception_leaves_its_trace_and_the_process(room):
    room.python(
        "book", "import os\ndef handle(message):\n    print(os.getpid())\n    inner()\ndef inner():\n    1 / 0\n"
    )
    first, second = room.run("book"), room.run("book")
    assert first.verdict is Verdict.LATER
    assert first.reason == "ZeroDivisionError: division by zero"
    assert "line 4, in handle\n" in first.output
    assert "child.py" not in first.output
    assert first.output == second.output


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def handle(message)\n    pass\n", "can't be loaded: SyntaxError: expected ':' (book.py, line 1)"),
        ("import missing_module\n", "can't be loaded: ModuleNotFoundError: No module named 'missing_module'"),
        ("1 / 0\n", "can't be loaded: ZeroDivisionError: division by zero"),
        ("x = 1\n", "can't be loaded: TypeError: book.py has no function handle(message), and is no executable script"),
        ("import sys\nsys.exit(0)\n", "can't be loaded: SystemExit: 0"),
        ("import os\nos.abort()\n", "can't be loaded: killed by SIGABRT"),
        ("import time\ntime.sleep(60)\n", "can't be loaded: ran longer than 1 s and was ended"),
    ],
)
def test_one_that_can_not_be_loaded_holds_its_mail(room, text, reason):
    room.settings["book"] = HandlerSettings(timeout=1 if "sleep" in text else 60)
    room.python("book", text)
    outcome = room.run("book")
    assert (outcome.verdict, outcome.reason) == (Verdict.HOLD, reason)


def test_after_an_edit_the_new_one_runs(room):
    room.python("book", PID)
    first = pid(room)
    room.python("book", "def handle(message): print('new')\n")
    assert room.dispatcher.refresh()
    assert room.run("book").output == "new\n"
    assert not Path(f"/proc/{first}").exists()
    room.python("book", "def handle(message) print('broken')\n")
    assert room.dispatcher.refresh()
    assert "the version before it still runs" in room.dispatcher.troubles()["book"]
    assert room.run("book").output == "new\n"
    room.python("book", PID)
    assert room.dispatcher.refresh()
    assert pid(room) != first
    assert not room.dispatcher.troubles()


def test_an_edit_while_it_runs(room, tmp_path):
    """The run at work ends on the old version; the next one is on the new."""
    os.mkfifo(tmp_path / "gate")
    room.python("book", f"def handle(message):\n    open('{tmp_path}/gate').read()\n    print('old')\n")
    room.mail()
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(room.run("book")))
    thread.start()
    with (tmp_path / "gate").open("w"):  # opens when the run has come to its gate
        room.python("book", "def handle(message): print('new')\n")
        assert room.dispatcher.refresh()
        assert room.run("book").output == "new\n"
    thread.join()
    assert outcomes[0].output == "old\n"
    assert room.run("book").output == "new\n"


def test_changed_settings_replace_it(room):
    room.python("book", PID)
    first = pid(room)
    room.settings["book"] = HandlerSettings(env={"TO": "elsewhere"})
    assert pid(room) != first


def test_a_crash_replaces_it(room):
    room.python(
        "book", "import os\ndef handle(message):\n    if message.attempt == 2: os.abort()\n    print(os.getpid())\n"
    )
    first = pid(room)
    assert room.run("book", attempt=2).verdict is Verdict.CRASHED
    assert pid(room) != first


def test_one_that_died_between_two_mails_is_replaced(room, wait_until, running):
    room.python("book", PID)
    first = pid(room)
    os.kill(first, 9)
    wait_until(lambda: not running(first))
    assert pid(room) != first


def test_it_is_replaced_after_some_runs(room, monkeypatch):
    monkeypatch.setattr(host, "RUNS", 3)
    room.python("book", PID)
    assert [len({pid(room) for _ in range(3)}), len({pid(room) for _ in range(3)})] == [1, 1]
    assert len({pid(room) for _ in range(4)}) == 2


def test_one_that_waits_too_long_is_ended(room):
    room.python("book", PID)
    first = pid(room)
    hosts = room.dispatcher._hosts
    hosts.retire(0.0)
    assert pid(room) == first
    hosts.retire(float("inf"))
    assert not Path(f"/proc/{first}").exists()


def test_runs_at_once_have_a_process_each(room, tmp_path, wait_until):
    room.python(
        "book",
        f"import os, time\nfrom pathlib import Path\ndef handle(message):\n"
        f"    Path('{tmp_path}/begun-' + str(os.getpid())).touch()\n"
        f"    while not Path('{tmp_path}/go').exists(): time.sleep(0.01)\n",
    )
    room.mail()
    verdicts = []
    threads = [threading.Thread(target=lambda: verdicts.append(room.run("book").verdict)) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 3)
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join()
    assert verdicts == [Verdict.DONE] * 3


def test_variables_and_directories_of_one_run_are_not_those_of_the_next(room):
    room.python(
        "book",
        "import os, tempfile\ndef handle(message):\n"
        "    print(os.environ.pop('WATCHER_UID'), os.environ.get('MINE'), message.path == message.path.cwd())\n"
        "    print(tempfile.gettempdir() == os.environ['TMPDIR'])\n"
        "    os.environ['MINE'] = '1'\n    os.chdir('/')\n",
    )
    assert [room.run("book", key=key).output for key in ("a", "b")] == ["42 None True\nTrue\n"] * 2


def test_what_it_starts_is_ended_with_its_run(room, wait_until, running):
    room.python(
        "book",
        "import subprocess\ndef handle(message):\n"
        "    for new in (True, False): print(subprocess.Popen(['sleep', '600'], start_new_session=new).pid)\n",
    )
    pids = room.run("book").output.split()
    assert len(pids) == 2
    wait_until(lambda: not any(running(one) for one in pids))


def test_it_may_close_its_outputs(room):
    room.python(
        "book", "import sys\ndef handle(message):\n    print('one')\n    sys.stdout.close()\n    sys.stderr.close()\n"
    )
    assert [room.run("book").output, room.run("book").output] == ["one\n", "one\n"]


def test_it_may_import_its_neighbours(room):
    room.python("shared_part", "WORD = 'hello'\n")
    room.python("book", "from shared_part import WORD\ndef handle(message): print(WORD)\n")
    assert room.run("book").output == "hello\n"


def test_an_executable_one_with_a_first_line_is_a_program(room):
    room.script("book.py", "#!/usr/bin/env python3\nprint(__name__)\ndef handle(message): print('warm')\n")
    assert room.run("book").output == "__main__\n"


def test_a_reason_without_end_is_cut(room):
    room.python("book", "from watcher import Reject\ndef handle(message): return Reject('x' * 1_000_000)\n")
    outcome = room.run("book")
    assert outcome.verdict is Verdict.NEVER
    assert outcome.reason.startswith("xxx")


FORKS = """
import os
def handle(message):
    if message.subject == "second":
        raise ValueError("not now")
    if (child := os.fork()):
        os.waitpid(child, 0)
"""

FORGES = """
import json, os, socket
def handle(message):
    if message.subject == "second":
        raise ValueError("not now")
    for fd in range(3, 20):
        try:
            with socket.socket(fileno=os.dup(fd)) as link:
                for run in (1, 1):
                    link.send(json.dumps({"run": run, "verdict": "done"}).encode())
        except OSError:
            pass
"""


@pytest.mark.parametrize("text", [FORKS, FORGES, FORKS.replace("import os", "import os\nos.fork()")])
def test_no_run_is_answered_by_another_one(room, text):
    """Of a copy of its process that a handler makes and that returns, too; or of what writes to any file there is."""
    room.python("book", text)
    room.mail("a")
    room.mail("b", subject="second")
    assert room.run("book", key="a").verdict is Verdict.DONE
    assert room.run("book", key="b").verdict in {Verdict.LATER, Verdict.CRASHED}


@pytest.mark.parametrize(
    "packet",
    ["1" + "0" * 400, '{"run": 1, "verdict": "later", "delay": 1%s}' % ("0" * 400), "[" * 100_000, "[1]", "{}", "null"],
)
def test_an_answer_that_is_none_hurts_nobody(room, packet):
    room.python(
        "book",
        f"import os, socket\ndef handle(message):\n    socket.socket(fileno=os.dup(3)).send({packet!r}.encode())",
    )
    assert room.run("book").verdict in {Verdict.CRASHED, Verdict.DONE}
