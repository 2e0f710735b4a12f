"""Text of a mail, however hostile: handlers get it as data alone, and what is told of a run is one printable line."""

import io
import json
import logging
import re

import pytest

from watcher.jobs.conformance import conform
from watcher.jobs.samples import CANARY, Case
from watcher.model import Place, Status, Verdict
from watcher.service.logs import OneLine
from watcher.stage import report

#: What a sender may try, in a subject and in the name of a file.
TRICKS = {
    "dollar": "$(touch @CANARY@)",
    "backquote": "`touch @CANARY@`",
    "newline": "x\nWATCHER_KEY=forged\n2026-11-21 ERROR forged line",
    "option": "-rf",
    "function": "() { :;}; touch @CANARY@",
    "terminal": "\x1b[2J\x1b]0;owned\x07\x9b31m\u202etxt.exe",
    "separator": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "NUL": "a\0b",
    "endless": "x" * 10_240,
}

SHELL = """
told=$(cat /proc/$$/cmdline | tr '\\0' '\\n'; env)
printf '%s' "$told" | grep -qF 'forged' && echo SEEN
printf '%s' "$told" | grep -qF 'touch' && echo SEEN
cat message.json >&2
for file in attachments/*; do printf '%s\\n' "$file" >&2; done
exit 75
"""

PYTHON = """
import os, sys
def handle(message):
    told = open("/proc/self/cmdline").read() + str(os.environ)
    if "forged" in told or "touch" in told:
        print("SEEN")
    names = [str(file.name) for file in message.attachments]
    raise ValueError(message.subject + "|" + "|".join(names))
"""


def hostile(trick):
    """The trick as it arrives: encoded, so that any character can."""
    quoted = "".join(f"={byte:02X}" for byte in trick.replace("@CANARY@", "/CANARY").encode())
    word = f"=?utf-8?q?{quoted}?="
    percent = "".join(f"%{byte:02X}" for byte in trick.encode())
    return (
        f"From: Ann <ann@example.org>\r\nSubject: {word}\r\n"
        f"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''{percent}\r\n\r\n%PDF\r\n"
    ).encode()


@pytest.fixture(params=["shell", "warm"])
def handler(request, room):
    if request.param == "shell":
        room.script("book", SHELL)
    else:
        room.python("book", PYTHON)
    return "book"


@pytest.mark.parametrize("name", TRICKS)
def test_it_is_data_and_what_is_told_is_one_line(room, handler, name):
    case = Case(name, "a trick", hostile(TRICKS[name]))
    [finding] = conform(room.dispatcher, room.spool, handler, [case])
    [outcome] = finding.outcomes
    assert outcome.verdict is Verdict.LATER
    assert "SEEN" not in outcome.output
    assert outcome.reason.isprintable()
    assert len(outcome.reason) <= 500
    assert all(line.isprintable() or "\t" in line for line in outcome.output.split("\n"))
    assert not (room.root / "a-shell-has-read-the-mail").exists()


def test_the_log_has_one_printable_line_for_each_event(room, handler):
    log, lines = logging.getLogger("watcher.stage"), io.StringIO()
    stream = logging.StreamHandler(lines)
    stream.setFormatter(OneLine("%(message)s"))
    log.addHandler(stream)
    place = Place("support", "Größe\n2026-11-21 ERROR forged\x1b[2J", 7, 42)
    try:
        for name, trick in TRICKS.items():
            [finding] = conform(room.dispatcher, room.spool, handler, [Case(name, "a trick", hostile(trick))])
            [outcome] = finding.outcomes
            report(room.work(handler, place=place), outcome, Status.DEAD, outcome.reason)
    finally:
        log.removeHandler(stream)
    written = lines.getvalue().splitlines()
    assert len(written) == len(TRICKS)
    assert all(line.isprintable() and line.startswith("support/Größe") for line in written)


def test_names_of_files_in_a_mail_folder_are_harmless(room):
    room.script("book", 'for file in attachments/*; do basename "$file"; done; cat message.json')
    for name, trick in TRICKS.items():
        case = Case(name, "a trick", hostile(trick))
        [finding] = conform(room.dispatcher, room.spool, "book", [case])
        file, facts = finding.outcomes[0].output.split("\n", 1)
        assert re.fullmatch(r"[^-./][^/]{0,200}", file), name
        assert file.isprintable()
        assert json.loads(facts)["attachments"][0]["path"] == f"attachments/{file}"


def test_a_canary_is_what_a_shell_would_make(room):
    """These tests can fail: a handler that lets a shell read the subject is found."""
    room.script("bad", 'eval "echo $(sed -n "s/^Subject: //p" message.eml | head -n 1)"; exit 0')
    mail = b"Subject: $(touch " + CANARY + b")\r\n\r\n"
    [finding] = conform(room.dispatcher, room.spool, "bad", [Case("bad", "seeded", mail)])
    assert "lets a shell read" in finding.fault
