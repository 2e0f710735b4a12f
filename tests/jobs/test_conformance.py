"""The conformance test that any author can run: it passes good handlers of each kind and finds each fault."""

import pytest

from tests.fakes.hook_server import HookServer
from watcher.config.handlers import HandlerSettings
from watcher.jobs.conformance import conform
from watcher.jobs.samples import CASES


def faults(room, name):
    return {finding.case.name: finding.fault for finding in conform(room.dispatcher, room.spool, name) if finding.fault}


@pytest.fixture(params=["script", "warm", "entry point", "command", "webhook"])
def good(request, room, monkeypatch):
    """A handler of each kind that does as it should."""
    function = "def handle(message):\n    print(message.subject, message.text, message.attachments)\n"
    with HookServer() as server:
        match request.param:
            case "script":
                room.script("good", "cat >/dev/null; cat message.json body.txt attachments/* 2>&1; exit 0")
            case "warm":
                room.python("good", function)
            case "entry point":
                room.entry_point("good", function)
                monkeypatch.syspath_prepend(room.root / "packages")
            case "command":
                room.settings["good"] = HandlerSettings(command=("cat",))
            case "webhook":
                room.settings["good"] = HandlerSettings(url=server.url, allow_private=True, format="multipart")
        yield server


def test_a_good_one_of_each_kind_has_no_fault(room, good):
    assert faults(room, "good") == {}
    assert len(good.requests) in {0, len(CASES) + 1}  # one case has two runs
    for request in good.requests:
        assert not any("touch" in value for value in request.headers.values())


def test_names_of_cases_are_their_own():
    assert len({case.name for case in CASES}) == len(CASES) > 30


@pytest.mark.parametrize(
    ("text", "cases", "words"),
    [
        ('eval "echo $(sed -n "s/^Subject: //p" message.eml | head -n 1)"', {"semicolon"}, "lets a shell read"),
        ("chmod u+w . && rm body.txt; exit 0", {"ordinary"}, "changed the mail folder"),
        ("exit 3", {"ordinary", "empty"}, "again and again: exit 3"),
        ("exit 65", {"ordinary", "repeated"}, "refuses a mail that has nothing odd: exit 65 (bad data)"),
        ("exit 78", {"ordinary", "empty"}, "can't run: exit 78"),
        ("kill -9 $$", {"ordinary", "empty"}, "crashed: killed by SIGKILL"),
        ('[ "$WATCHER_ATTEMPT" = 1 ] || exit 1', {"repeated"}, "when it runs again with the same key (2 of 2)"),
        ("grep -q '^Subject: ..*' message.eml || exit 1", {"empty", "bare"}, "again and again"),
    ],
)
def test_each_fault_is_found(room, text, cases, words):
    room.script("bad", text)
    found = faults(room, "bad")
    assert cases <= found.keys()
    assert all(words in found[case] for case in cases)


def test_one_that_hangs_is_found(room):
    room.script("slow", "sleep 600")
    room.settings["slow"] = HandlerSettings(timeout=0.1)
    [finding] = conform(room.dispatcher, room.spool, "slow", CASES[:1])
    assert "crashed: ran longer than 0.1 s" in finding.fault
