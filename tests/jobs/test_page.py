"""The examples of the page for authors do what the page says."""

import re
from pathlib import Path

import pytest

from watcher.model import Action, Verb, Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "handlers.md").read_text()


def example(language, words):
    [code] = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if words in text]
    return code


@pytest.mark.parametrize(
    ("language", "words", "output", "actions"),
    [
        ("sh", "New mail:", "New mail: Invoice 7\n", [Action(Verb.FLAG, "$Announced")]),
        ("python", "#!/usr/bin/env python3", "", [Action(Verb.MOVE, "Invoices")]),
        ("python", "from watcher", "", [Action(Verb.FLAG, "$Booked"), Action(Verb.MOVE, "Done")]),
    ],
)
def test_example(room, language, words, output, actions):
    code = example(language, words)
    if code.startswith("#!"):
        room.script("example", code)
    else:
        room.python("example", code + "\n\ndef book(path, key):\n    return path.exists() and len(key) == 32\n")
    outcome = room.run("example")
    assert (outcome.verdict, outcome.output) == (Verdict.DONE, output)
    assert list(outcome.actions) == actions
