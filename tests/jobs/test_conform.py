"""Contract 1, the same for every kind of handler that is a process: each behaviour as each of them."""

import json
from textwrap import dedent

import pytest

from tests.fakes.hook_server import HookServer, Reply
from watcher.config.handlers import HandlerSettings
from watcher.model import Action, Verb, Verdict

KINDS = ("program", "command", "warm", "entry point")
SHORT = HandlerSettings(timeout=0.5)


def place(room, kind, body, monkeypatch):
    """Put the handler `book` in place as one of the kinds, from the body of a function."""
    text = "import json, os, signal, sys, time\n"
    ask = "with open(os.environ['WATCHER_ACTIONS'], 'a') as file: file.write({0!r} + '\\n')\n"
    body = "".join(
        ask.format(line[4:]) if line.startswith("ask ") else line + "\n" for line in dedent(body).splitlines()
    )
    function = text + "def handle(message):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    match kind:
        case "warm":
            room.python("book", function)
        case "entry point":
            room.entry_point("book", function)
            monkeypatch.syspath_prepend(room.root / "packages")
        case "command":
            tool = room.root / "tool"
            tool.write_text(text + body)
            room.places["book"] = {"command": ("python3", str(tool), "--quiet")}
        case "program":
            room.script("book", "#!/usr/bin/env python3\n" + text + body)


@pytest.fixture(params=KINDS)
def write(request, room, monkeypatch):
    """Writes the handler `book` as one of the kinds, from the body of a function."""
    return lambda body: place(room, request.param, body, monkeypatch)


@pytest.fixture(params=[*KINDS, "webhook"])
def say(request, room, monkeypatch):
    """Lets the handler `book` end as it is told; a webhook by what its server replies."""
    with HookServer() as server:

        def say(body, reply):
            if request.param == "webhook":
                server.usual = reply
                room.places["book"] = {"url": server.url, "allow_private": True}
            else:
                place(room, request.param, body, monkeypatch)

        yield say


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "reply", "verdict", "actions"),
    [
        ("pass", Reply(204), Verdict.DONE, ()),
        ("print('words')", Reply(200, body=b"words"), Verdict.DONE, ()),
        ("sys.exit(99)", Reply(200, JSON, b'{"stop": true}'), Verdict.STOP, ()),
        ("sys.exit(75)", Reply(503), Verdict.LATER, ()),
        ("sys.exit(65)", Reply(422), Verdict.NEVER, ()),
        ("sys.exit(78)", Reply(410), Verdict.HOLD, ()),
        (
            'ask {"action": "seen"}',
            Reply(200, JSON, b'{"actions": [{"action": "seen"}]}'),
            Verdict.DONE,
            (Action(Verb.SEEN),),
        ),
        ('ask {"action": "sing"}', Reply(200, JSON, b'{"actions": [{"action": "sing"}]}'), Verdict.NEVER, ()),
        (
            'ask {"action": "seen"}\nsys.exit(1)',
            Reply(500, JSON, b'{"actions": [{"action": "seen"}]}'),
            Verdict.LATER,
            (),
        ),
    ],
)
def test_every_kind_can_say_the_same(room, say, body, reply, verdict, actions):
    say(body, reply)
    outcome = room.run("book")
    assert (outcome.verdict, outcome.actions) == (verdict, actions)
    assert bool(outcome.reason) == (verdict not in {Verdict.DONE, Verdict.STOP})


@pytest.mark.parametrize(
    ("body", "verdict", "reason"),
    [
        ("pass", Verdict.DONE, ""),
        ("sys.exit(0)", Verdict.DONE, ""),
        ("sys.exit(99)", Verdict.STOP, ""),
        ("sys.exit(75)", Verdict.LATER, "exit 75 (try again later)"),
        ("sys.exit(3)", Verdict.LATER, "exit 3"),
        ("sys.exit(77)", Verdict.NEVER, "exit 77 (permission denied)"),
        ("sys.exit(78)", Verdict.HOLD, "exit 78 (configuration error)"),
        ("sys.exit('no disk')", Verdict.LATER, "exit 1: no disk"),
        ("{}['x']", Verdict.LATER, "KeyError: 'x'"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", Verdict.CRASHED, "killed by SIGSEGV"),
        ("os.abort()", Verdict.CRASHED, "killed by SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", Verdict.CRASHED, "killed by SIGKILL"),
        ("time.sleep(60)", Verdict.CRASHED, "ran longer than 0.5 s and was ended"),
        ("while True: pass", Verdict.CRASHED, "ran longer than 0.5 s and was ended"),
    ],
)
def test_how_it_ends(room, write, body, verdict, reason):
    write(body)
    room.settings["book"] = SHORT if "while" in body or "sleep" in body else HandlerSettings()
    outcome = room.run("book")
    assert outcome.verdict is verdict
    assert outcome.reason.endswith(reason)
    assert bool(outcome.reason) == bool(reason)


def test_what_it_finds(room, write):
    write("print(json.dumps([dict(os.environ), os.getcwd(), open('message.json').read()]))")
    folder = room.mail("m9")
    room.settings["book"] = HandlerSettings(env={"TO": "/srv"})
    variables, directory, facts = json.loads(room.run("book", key="m9", attempt=4).output)
    assert directory == str(folder.path)
    assert json.loads(facts)["subject"] == "Invoice 7"
    assert {name for name in variables if not name.startswith("WATCHER_")} - {"LC_CTYPE", "PYTHONPATH"} == {
        "HOME",
        "LANG",
        "PATH",
        "TMPDIR",
        "TO",
    }
    assert variables["WATCHER_ATTEMPT"] == "4"
    assert variables["WATCHER_MAIL"] == str(folder.raw)


def test_the_mail_folder_can_not_be_written_by_accident(room, write):
    write("print(*(oct(os.stat(name).st_mode & 0o777) for name in ('.', 'message.eml', 'attachments')))")
    assert room.run("book").output == "0o500 0o400 0o500\n"


def test_temporary_files_are_its_own_and_go(room, write):
    write(
        """
        import tempfile
        there = tempfile.mkdtemp()
        open(there + '/big', 'w').write('x')
        os.chmod(there, 0)
        print(os.path.dirname(there), os.environ['TMPDIR'], oct(os.stat(os.environ['TMPDIR']).st_mode & 0o777))
        """
    )
    seen = set()
    for _ in range(2):
        directory, variable, mode = room.run("book").output.split()
        assert directory == variable
        assert mode == "0o700"
        seen.add(directory)
    assert len(seen) == 2
    assert not list((room.root / "scratch").iterdir())


def test_both_outputs_are_kept_and_made_printable(room, write):
    write(
        r"""
        print("one", flush=True)
        os.write(2, b"\x1b[2Jtwo \xff\x00\n")
        os.system("echo three")
        sys.stderr.write("four")
        """
    )
    for _ in range(2):  # and nothing of the first run in the second
        assert room.run("book").output == "one\n\\x1b[2Jtwo \\xff\\x00\nthree\nfour"


def test_actions_count_when_it_succeeds(room, write):
    write(
        """
        ask {"action": "flag", "flag": "$Booked"}
        ask {"action": "note", "text": "as 4711"}
        ask {"action": "move", "folder": "Done"}
        """
    )
    outcome = room.run("book")
    assert outcome.verdict is Verdict.DONE
    assert outcome.actions == (Action(Verb.FLAG, "$Booked"), Action(Verb.MOVE, "Done"))
    assert outcome.reason == "as 4711"


@pytest.mark.parametrize("code", [1, 77, 78])
def test_actions_of_a_failed_run_do_not_count(room, write, code):
    write(f'ask {{"action": "delete"}}\nask nonsense\nsys.exit({code})')
    outcome = room.run("book")
    assert outcome.actions == ()
    assert outcome.reason.startswith(f"exit {code}")


@pytest.mark.parametrize("line", ["seen", '{"action": "reply"}', '{"action": "sing"}'])
def test_an_action_that_can_not_be_done_is_a_dead_letter(room, write, line):
    write(f'ask {{"action": "seen"}}\nask {line}')
    outcome = room.run("book")
    assert outcome.verdict is Verdict.NEVER
    assert outcome.actions == ()
    assert "line 2" in outcome.reason


@pytest.mark.parametrize("trick", ["os.symlink('/etc/passwd', path)", "os.mkfifo(path)", "os.mkdir(path)"])
def test_the_actions_file_must_be_a_file(room, write, trick):
    write(f"path = os.environ['WATCHER_ACTIONS']\n{trick}")
    outcome = room.run("book")
    assert outcome.verdict is Verdict.NEVER
    assert outcome.reason.startswith("the actions file")


@pytest.mark.parametrize(
    "subject",
    ["$(touch /tmp/pwned)", "`id`", "a\nWATCHER_KEY=x", "-rf /", "() { :;}; id", "\x1b[2J", "x" * 10_000, "'\"\\"],
)
def test_text_of_the_mail_reaches_it_only_as_data(room, write, subject):
    write(
        """
        told = open('/proc/self/cmdline').read() + str(sorted(os.environ.items()))
        mail = json.load(open('message.json'))
        print(json.dumps([mail['subject'], mail['subject'] in told]))
        """
    )
    room.mail("m5", subject=subject)
    assert json.loads(room.run("book", key="m5").output) == [subject, False]


def test_only_what_it_needs_is_open(room, write):
    write("print(sorted(os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if int(fd) > 2))")
    held = (room.root / "open").open("w")
    with held:
        output = room.run("book").output
    assert str(room.root / "open") not in output
    assert output.count("pipe") + output.count("socket") <= 1  # the link of a warm one


def test_a_flood_is_drained_and_ended(room, write):
    write("while True: os.write(1, b'x' * 65536)")
    room.settings["book"] = HandlerSettings(output=1 << 20)
    outcome = room.run("book")
    assert outcome.verdict is Verdict.CRASHED
    assert outcome.reason == "printed more than 1048576 bytes and was ended"
    assert len(outcome.output) < 70_000


def test_memory_is_limited(room, write):
    write("x = bytearray(8 << 30)")
    room.settings["book"] = HandlerSettings(memory=256 << 20)
    outcome = room.run("book")
    assert outcome.verdict is Verdict.LATER
    assert "MemoryError" in outcome.reason


def test_files_are_limited(room, write):
    write(
        """
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        with open(os.environ['TMPDIR'] + '/big', 'wb') as file:
            while True: file.write(bytes(65536))
        """
    )
    room.settings["book"] = HandlerSettings(file_size=1 << 20)
    outcome = room.run("book")
    assert outcome.verdict is Verdict.CRASHED
    assert "SIGXFSZ" in outcome.reason


def test_it_has_no_core_file_and_no_way_to_make_one(room, write):
    write("import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))")
    assert room.run("book").output == "(0, 0)\n"
