"""The conformance test that any author can run: it passes good handlers of each kind and finds each fault."""

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.jobs.conformance import conform
from watcher.jobs.samples import CASES


def faults(room, name):
    return {finding.case.name: finding.fault for finding in conform(room.dispatcher, room.spool, name) if finding.fault}


def good_script(room):
    room.script("good", "cat >/dev/null; grep -q subject message.json && cat body.txt attachments/* 2>&1; exit 0")


def good_python(room):
    room.python("good", "def handle(message):\n    print(message.subject, message.text, message.attachments)\n")


def good_command(room):
    room.settings["good"] = HandlerSettings(command=("cat",))


GOOD = [good_script, good_python, good_command]


@pytest.mark.parametrize("install", GOOD)
def test_a_good_one_has_no_fault(room, install):
    install(room)
    assert faults(room, "good") == {}


def test_names_of_cases_are_their_own():
    assert len({case.name for case in CASES}) == len(CASES) > 30


@pytest.mark.parametrize(
    ("text", "cases", "words"),
    [
        ('eval "echo $(sed -n "s/^Subject: //p" message.eml | head -n 1)"', {"semicolon"}, "lets a shell read"),
