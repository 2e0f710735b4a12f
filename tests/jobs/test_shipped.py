"""Each handler of the distribution, run through the contract, with its real effect looked at."""

import ast
import json
import mailbox
import re
import shutil
from pathlib import Path

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.model import Verdict

SHIPPED = Path(__file__).parents[2] / "handlers"
FILES = sorted(path for path in SHIPPED.iterdir() if path.is_file())
SETTINGS = {"save-attachments": "TO", "to-jsonl": "FILE", "to-maildir": "TO"}


@pytest.fixture
def install(room):
    """Puts a shipped handler in place, set to write below the room; gives that path."""

    def install(name):
        [file] = SHIPPED.glob(f"{name}*")
        shutil.copy(file, room.handlers)
        room.settings[name] = HandlerSettings(env={SETTINGS[name]: str(room.root / "out")})
        return room.root / "out"

    return install


def test_each_is_known_here():
    assert [path.stem for path in FILES] == sorted(SETTINGS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_says_what_it_does_how_it_is_set_and_how_it_is_used(path):
    text = path.read_text()
    header = text[: text.index("An example:") + 500]
    for name in re.findall(r"(?:\benviron(?:\.get\(|\[)['\"]|\$\{?)([A-Z]+)\b", text):
        assert name.startswith("WATCHER") or re.search(rf"^[# ]+{name} ", header, re.MULTILINE), name
    assert f'run = ["{path.stem}"]' in header
    assert f"[handler.{path.stem}]" in header
    if path.suffix == ".py":
        ast.parse(text)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_one_that_is_not_set_holds_its_mail(room, install, name):
    install(name)
    room.settings[name] = HandlerSettings()
    outcome = room.run(name)
    assert outcome.verdict is Verdict.HOLD
    assert f"[handler.{name}] env = " in outcome.reason


def test_save_attachments(room, install):
    out = install("save-attachments")
    for key in ("m1", "m1", "m2"):  # again, and the same content in another mail
        assert room.run("save-attachments", key=key).verdict is Verdict.DONE
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"bill.pdf": b"%PDF-1.4 small"}


def test_save_attachments_overwrites_nothing(room, install):
    out = install("save-attachments")
    out.mkdir()
    (out / "bill.pdf").write_text("another one")
    assert room.run("save-attachments").output == f"{out / 'bill (2).pdf'}\n"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "bill.pdf": b"another one",
        "bill (2).pdf": b"%PDF-1.4 small",
    }


def test_save_attachments_of_a_kind(room, install):
    out = install("save-attachments")
    room.settings["save-attachments"] = HandlerSettings(env={"TO": str(out), "ONLY": "*.TXT"})
    assert room.run("save-attachments").verdict is Verdict.DONE
    assert list(out.iterdir()) == []


def test_to_jsonl(room, install):
    out = install("to-jsonl")
    room.mail("m2", subject="zwei\nZeilen")
    places = [room.work("to-jsonl").place, room.work("to-jsonl").place.__class__("support", "INBOX", 7, 43)]
    for key, place in zip(("m1", "m1", "m2"), (places[0], *places), strict=True):
        assert room.run("to-jsonl", key=key, place=place).verdict is Verdict.DONE
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["subject"] for line in lines] == ["Invoice 7", "zwei\nZeilen"]
    assert lines[0]["text"] == "Please pay.\n"
    assert len({line["run"] for line in lines}) == 2


def test_to_jsonl_mends_a_line_that_was_cut(room, install):
    out = install("to-jsonl")
    out.write_text('{"run": "A", "subject": "whole"}\n{"run": "B", "subj')
    assert room.run("to-jsonl").verdict is Verdict.DONE
    assert [json.loads(line)["subject"] for line in out.read_text().splitlines()] == ["whole", "Invoice 7"]


def test_to_maildir(room, install):
    out = install("to-maildir")
    for attempt in (1, 2):
        assert room.run("to-maildir", attempt=attempt).verdict is Verdict.DONE
    [mail] = mailbox.Maildir(out)
    assert mail["Subject"] == "Invoice 7"
    [path] = (out / "new").iterdir()
    path.rename(out / "cur" / f"{path.name}:2,S")  # a mail program has shown it
    assert room.run("to-maildir", attempt=3).verdict is Verdict.DONE
    assert list((out / "new").iterdir()) == []
