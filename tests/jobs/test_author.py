"""What authors import, also where no daemon runs: in their own tests."""

import json
import signal
import subprocess
import sys
import typing
from datetime import datetime
from pathlib import Path

import pytest

import watcher
from watcher import Address, Later, Message, Trust, once
from watcher.jobs.actions import parse
from watcher.model import Verdict


@pytest.fixture
def message(room):
    return Message(room.mail().path, {})


def test_a_message_of_any_mail_folder(message):
    assert message.subject == "Invoice 7"
    assert (message.sender, message.verdict) == ("ann@example.org", "unverified")
    assert message.to == (Address("", "support@example.com"),) or message.to == ()
    assert message.trust == Trust("unverified", None, None, None, None, None, "-")
    assert message.received == datetime.fromisoformat("2026-11-21T10:00:00+00:00")
    assert message.text == "Please pay.\n"
    assert [file.path.read_bytes() for file in message.attachments] == [b"%PDF-1.4 small"]
    assert message.header("SUBJECT") == "Invoice 7"
    assert (message.key, message.attempt) == (message.facts["key"], 1)


VERBS = [
    (
        lambda message: message.answer("Thank you.", attachments=["attachments/bill.pdf", Path("/srv/terms.pdf")]),
        {"action": "reply", "text": "Thank you.", "attachments": ["attachments/bill.pdf", "/srv/terms.pdf"]},
    ),
    (
        lambda message: message.answer("Thanks", html="<p>Thanks", subject="Re: x", attachments="x"),
        {"action": "reply", "text": "Thanks", "html": "<p>Thanks", "subject": "Re: x", "attachments": ["x"]},
    ),
    (lambda message: message.forward("bob@example.org"), {"action": "forward", "to": ["bob@example.org"]}),
    (
        lambda message: message.forward(["a@b.example"], "Look", cc="c@d.example", subject="Fwd", inline=True),
        {
            "action": "forward",
            "to": ["a@b.example"],
            "cc": ["c@d.example"],
            "text": "Look",
            "subject": "Fwd",
            "inline": True,
        },
    ),
    (
        lambda message: message.send(("a@b.example", "c@d.example"), "Booked", "As 4711.", bcc="e@f.example"),
        {
            "action": "send",
            "to": ["a@b.example", "c@d.example"],
            "bcc": ["e@f.example"],
            "subject": "Booked",
            "text": "As 4711.",
        },
    ),
    (lambda message: message.seen(), {"action": "seen"}),
    (lambda message: message.flag("$Booked"), {"action": "flag", "flag": "$Booked"}),
    (lambda message: message.move("Done"), {"action": "move", "folder": "Done"}),
    (lambda message: message.delete(), {"action": "delete"}),
    (lambda message: message.note("as 4711"), {"action": "note", "text": "as 4711"}),
]


@pytest.mark.parametrize(("ask", "line"), VERBS)
def test_each_verb_asks_for_what_the_daemon_understands(message, ask, line):
    ask(message)
    assert message.asked == [line]
    parse(json.dumps(line).encode())


def test_the_variables_of_a_run_are_its_own(room):
    message = Message(str(room.mail().path), {"WATCHER_KEY": "k", "WATCHER_ATTEMPT": "3"})
    assert (message.key, message.attempt) == ("k", 3)


def test_all_of_it_is_typed():
    assert (Path(watcher.__file__).parent / "py.typed").exists()
    hints = {name: typing.get_type_hints(method) for name, method in vars(Message).items() if callable(method)}
    assert all("return" in hint for hint in hints.values())


# --- once -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path, monkeypatch):
    directory = tmp_path / "state"
    directory.mkdir()
    monkeypatch.setenv("WATCHER_STATE", str(directory))
    return directory


@pytest.mark.parametrize("key", ["abc", "a", "INV/2026/7", "../up", "..", ".", "", "-rf", "ä" * 300, "a\0b", "\udcff"])
def test_a_key_is_new_once(state, key):
    seen = []
    for _ in range(3):
        with once(key) as first:
            seen.append(first)
    assert seen == [True, False, False]
    assert len(list(state.iterdir())) == 1


def test_keys_are_told_apart(state):
    for key in ("a", "b", "a/b", "A"):
        with once(key) as first:
            assert first


def test_what_fails_may_be_done_again(state):
    for error in (ValueError, Later, KeyboardInterrupt):
        with pytest.raises(error), once("k"):
            raise error
    with once("k") as first:
        assert first


def test_the_mark_is_there_before_the_block_and_survives_a_kill(state):
    code = "import os\nfrom watcher import once\nwith once('k'):\n    os.kill(os.getpid(), 9)\n"
    process = subprocess.run([sys.executable, "-c", code], check=False)
    assert process.returncode == -signal.SIGKILL
    with once("k") as first:
        assert not first


def test_only_one_of_many_at_once_is_first(state):
    code = "from watcher import once\nwith once('k') as first:\n    print(first)\n"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(5)]
    assert sorted(process.communicate()[0] for process in processes) == ["False\n"] * 4 + ["True\n"]


def test_without_a_directory_it_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("WATCHER_STATE", raising=False)
    with pytest.raises(LookupError, match="WATCHER_STATE"), once("k"):
        pass


def test_in_handlers_of_each_kind_the_second_run_finds_the_first(room):
    room.python(
        "warm",
        "from watcher import Message, once\ndef handle(message: Message) -> None:\n"
        "    with once(message.key) as first:\n        print('first' if first else 'again')\n",
    )
    room.script(
        "shell",
        'mkdir "$WATCHER_STATE/$WATCHER_KEY" 2>/dev/null || { echo again; exit 0; }\nsync "$WATCHER_STATE"\necho first',
    )
    for name in ("warm", "shell"):
        outcomes = [room.run(name, key=key) for key in ("m1", "m1", "m2")]
        assert [outcome.verdict for outcome in outcomes] == [Verdict.DONE] * 3
        assert [outcome.output for outcome in outcomes] == ["first\n", "again\n", "first\n"]


def test_each_handler_has_a_directory_of_its_own_which_stays(room):
    for name in ("one", "two"):
        room.script(
            name, 'echo "$WATCHER_STATE"; stat -c %a "$WATCHER_STATE"; ls "$WATCHER_STATE"; touch "$WATCHER_STATE/x"'
        )
    first = room.run("one").output.split()
    other = room.run("two").output.split()
    room.dispatcher.close()
    room.open()
    again = room.run("one").output.split()
    assert first[1:] == ["700"]
    assert again == [*first, "x"]
    assert other[0] != first[0]
    assert Path(other[0]).is_dir()
