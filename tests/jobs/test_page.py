"""The examples of the page for authors do what the page says; every block of code on it is run here."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.fakes.hook_server import HookServer
from watcher.config.entries import GROUP
from watcher.config.handlers import HandlerSettings
from watcher.model import Action, Verb, Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "handlers.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)

#: What an example calls that is not its own, as programs of the machine and as Python.
TOOLS = {
    "pdftotext": 'cp "$1" "$2"',
    "curl": 'printf "%s " "$@" >> "$WATCHER_STATE/called"; echo "curl ok"',
    "ring-the-bell": 'echo ring; [ ! -e "$WATCHER_STATE/stuck" ]',
    "spamc": 'grep -q Invoice && { echo "9.0/5.0"; exit 1; }; exit 0',
}
NEIGHBOURS = """

def book(path, key):
    return path.exists() and len(key) == 32


def ring_the_bell():
    print("ring")
    return True
"""

FLAGGED = Action(Verb.FLAG, "$Booked"), Action(Verb.MOVE, "Done")

#: Language, words that only this example has, what it prints, what it asks for.
EXAMPLES = [
    ("sh", "New mail:", "New mail: Invoice 7\n", (Action(Verb.FLAG, "$Announced"),)),
    ("sh", "WATCHER_BATCH", None, ()),  # see the tests of batches
    ("sh", "pdftotext", "curl ok\n", ()),
    ("sh", "ring-the-bell", "ring\n", ()),
    ("sh", "spamc", "", (Action(Verb.FLAG, "$Junk"),)),
    ("python", "#!/usr/bin/env python3", "", (Action(Verb.MOVE, "Invoices"),)),
    ("python", "from watcher import Later, Message, Reject", "", FLAGGED),
    ("python", "once", "ring\n", ()),
    ("python", "def test_it_is_booked", None, ()),  # see below
    ("js", "#!/usr/bin/env node", "", (Action(Verb.FLAG, "$Invoice"),)),
    ("perl", "#!/usr/bin/perl", "attachments/bill.pdf\n", ()),
]


def example(language, words):
    [code] = [text for kind, text in BLOCKS if kind == language and words in text]
    return code


@pytest.fixture
def install(room):
    """Puts an example in place as `example`, with what it calls."""
    tools = room.root / "tools"
    tools.mkdir()
    for name, text in TOOLS.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    room.settings["example"] = HandlerSettings(env={"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin"}, memory=8 << 30)

    def install(code):
        if code.startswith("#!"):
            room.script("example", code)
        else:
            room.python("example", code + NEIGHBOURS)

    return install


def test_every_block_of_code_is_run():
    known = [(language, example(language, words)) for language, words, _, _ in EXAMPLES]
    assert sorted(known) == sorted((kind, text) for kind, text in BLOCKS if kind not in {"toml", "json"})


@pytest.mark.parametrize(("language", "words", "output", "actions"), [row for row in EXAMPLES if row[2] is not None])
def test_example(room, install, language, words, output, actions):
    install(example(language, words))
    outcome = room.run("example")
    assert (outcome.verdict, outcome.output) == (Verdict.DONE, output), outcome
    assert outcome.actions == actions


def test_the_example_in_shell_calls_with_the_key_of_the_run(room, install):
    install(example("sh", "pdftotext"))
    room.run("example")
    called = (room.root / "handler-state" / "example" / "called").read_text()
    assert "-H Idempotency-Key: " in called
    assert called.rstrip().endswith("https://books.example/in")


@pytest.mark.parametrize(("language", "words"), [("sh", "ring-the-bell"), ("python", "once")])
def test_what_is_done_once_is_not_done_again(room, install, language, words):
    install(example(language, words))
    outcomes = [room.run("example", attempt=attempt) for attempt in (1, 2)]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.DONE] * 2
    assert [outcome.output for outcome in outcomes] == ["ring\n", ""]


def test_what_was_to_be_done_once_and_failed_is_tried_again(room, install):
    install(example("sh", "ring-the-bell"))
    stuck = room.root / "handler-state" / "example" / "stuck"
    stuck.parent.mkdir(parents=True)
    stuck.touch()
    assert room.run("example").verdict is Verdict.LATER
    stuck.unlink()
    assert room.run("example", attempt=2).output == "ring\n"


def test_the_test_of_a_handler_works(room, monkeypatch):
    room.mail().path.rename(room.root / "invoice")
    (room.root / "tests").mkdir()
    (room.root / "invoice").rename(room.root / "tests" / "invoice")
    monkeypatch.chdir(room.root)
    names = {"handle": lambda message: message.flag("$Booked")}
    exec(example("python", "def test_it_is_booked"), names)
    names["test_it_is_booked"]()


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "toml"])
def test_settings_on_the_page_are_toml(block):
    for section, tables in tomllib.loads(block).items():
        assert section in {"rule", "handler", "project", "watcher"}
        if section == "project":
            assert GROUP in tables["entry-points"]
        if section == "handler":
            TypeAdapter(dict[str, HandlerSettings]).validate_python(tables, context=Path())


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "json"])
def test_json_on_the_page_is_json(block):
    assert json.loads(block)["contract"] == 1


def test_the_table_of_answers_says_what_webhooks_do(room):
    table = PAGE.split("| Status | Means |", 1)[1].split("\n\n", 1)[0]
    said = {}
    for cell, word in re.findall(r"^\| ([\d, to]+) \| \*\*(\w+)\*\*", table, re.MULTILINE):
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", cell):
            said |= dict.fromkeys(range(int(first), int(last or first) + 1), word)
    assert set(said) == set(range(200, 600))
    with HookServer() as server:
        room.settings["hook"] = HandlerSettings(url=server.url, allow_private=True)
        for status in (200, 299, 300, 399, 407, 408, 409, 410, 411, 424, 425, 426, 428, 429, 430, 499, 500, 599):
            server.usual = type(server.usual)(status)
            assert room.run("hook").verdict is Verdict(said[status]), status
