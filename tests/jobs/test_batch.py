"""One run for many mails."""

import json
from dataclasses import replace

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.model import Action, Verb, Verdict

MANY = HandlerSettings(batch=30.0)


@pytest.fixture
def works(room):
    room.settings["many"] = MANY
    return [replace(room.work("many", key), id=number) for number, key in enumerate(("m1", "m2", "m3"))]


def test_a_program_finds_all_mails_in_a_file(room, works):
    room.script("many", 'while read -r mail; do wc -c < "$mail/message.eml"; done < "$WATCHER_BATCH"; pwd')
    outcomes = list(room.dispatcher.run_batch(works))
    assert [work for work, _ in outcomes] == works
    assert {outcome.verdict for _, outcome in outcomes} == {Verdict.DONE}
    size = (room.spool / "m1" / "message.eml").stat().st_size
    assert outcomes[0][1].output.split() == [str(size)] * 3 + [str(room.spool / "m1")]


def test_python_is_given_a_list(room, works):
    room.python(
        "many", "def handle(messages):\n    print(*(m.path.name for m in messages))\n    messages[1].move('Done')\n"
    )
    outcomes = [outcome for _, outcome in room.dispatcher.run_batch(works)]
    assert outcomes[0].output == "m1 m2 m3\n"
    assert all(outcome.actions == (Action(Verb.MOVE, "Done"),) for outcome in outcomes)


def test_how_it_ends_counts_for_all(room, works):
    room.script("many", "echo not today; exit 75")
    outcomes = [outcome for _, outcome in room.dispatcher.run_batch(works)]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.LATER}
    assert {outcome.reason for outcome in outcomes} == {"exit 75 (try again later): not today"}


def test_a_mail_that_is_gone_does_not_keep_the_others(room, works):
    room.script("many", 'cat "$WATCHER_BATCH"')
    (room.spool / "m2" / "message.eml").unlink()
    outcomes = [outcome for _, outcome in room.dispatcher.run_batch(works)]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.DONE, Verdict.NEVER, Verdict.DONE]
    assert outcomes[0].output.split() == [str(room.spool / name) for name in ("m1", "m3")]


def test_a_single_mail_is_a_list_of_one(room, works):
    room.python("many", "import json\ndef handle(messages):\n    print(json.dumps([m.subject for m in messages]))\n")
    (outcome,) = [outcome for _, outcome in room.dispatcher.run_batch(works[:1])]
    assert json.loads(outcome.output) == ["Invoice 7"]
