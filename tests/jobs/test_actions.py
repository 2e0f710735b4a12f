"""The actions file: every shape that is followed, and every refusal with its line."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.jobs.actions import MOST, SIZE_LIMIT, ActionsRefused, Wishes, parse
from watcher.model import Action, Verb
from watcher.wishes import Request, Sending


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("", Wishes()),
        ("\n \r\n", Wishes()),
        ('{"action":"seen"}', Wishes((Action(Verb.SEEN),))),
        ('{"action":"reply","text":"x"}', Wishes(requests=(Request(Sending.REPLY, text="x"),))),
        (
            '{"action":"send","to":["a@b","a@b"],"from":"c@d","subject":"s","html":"h","attachments":"f"}',
            Wishes(
                requests=(Request(Sending.SEND, ("a@b",), subject="s", html="h", attachments=("f",), sender="c@d"),)
            ),
        ),
        ('{"action":"delete"}\r\n', Wishes((Action(Verb.DELETE),))),
        ('{"action":"flag","flag":"$Done"}', Wishes((Action(Verb.FLAG, "$Done"),))),
        (r'{"action":"flag","flag":"\\Flagged"}', Wishes((Action(Verb.FLAG, r"\Flagged"),))),
        ('{"folder":"Fertig/Größe 1","action":"move"}', Wishes((Action(Verb.MOVE, "Fertig/Größe 1"),))),
        ('{"action":"note","text":"a\\nb\\u001b[1m"}', Wishes(notes=(r"a b\x1b[1m",))),
        (
            '{"action":"flag","flag":"A"}\n\n{"action":"move","folder":"B"}\n',
            Wishes((Action(Verb.FLAG, "A"), Action(Verb.MOVE, "B"))),
        ),
    ],
)
def test_what_is_asked_for(text, wishes):
    assert parse(text.encode()) == wishes


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seen", "line 1: not JSON: seen"),
        ('{"action":"seen"}\n\n{"action":', "line 3: not JSON"),
        ("\x1b[2J\xff", r"line 1: not JSON: \x1b[2J"),
        ('["seen"]', "line 1: not a JSON object"),
        ("[" * 5000, "line 1: not JSON"),
        ("{}", "line 1: unknown action null; known are seen, flag, move, delete, reply, forward, send, note"),
        ('{"action":"sing"}', 'unknown action "sing"'),
        ('{"action":["seen"]}', 'unknown action ["seen"]'),
        ('{"action":"reply"}', '"reply" needs the field "text", or "html"'),
        ('{"action":"reply","text":"x","to":"a@b"}', '"reply" has no field "to"'),
        ('{"action":"forward"}', '"forward" needs the field "to"'),
        ('{"action":"forward","to":"a@b","inline":"yes"}', '"inline" must be true or false'),
        ('{"action":"send","to":"a@b"}', '"send" needs the field "text", or "html"'),
        ('{"action":"send","to":[1],"text":"x"}', '"to" must be a text or a list of texts'),
        ('{"action":"send","to":"a@b","text":{}}', '"text" must be a text'),
        ('{"action":"flag"}', 'the field "flag" must be a text'),
        ('{"action":"flag","flag":7}', 'the field "flag" must be a text'),
        ('{"action":"flag","flag":""}', 'the field "flag" must be a text'),
        ('{"action":"flag","flag":"a b"}', "can't be a flag"),
        ('{"action":"flag","flag":"a)\\r\\nX LOGOUT"}', "can't be a flag"),
        (r'{"action":"flag","flag":"\\Deleted"}', "can't be a flag"),
        (r'{"action":"flag","flag":"\\Recent"}', "can't be a flag"),
        ('{"action":"move"}', 'the field "folder" must be a text'),
        ('{"action":"move","folder":"a\\nb"}', "can't be a folder"),
        ('{"action":"move","folder":"a\\u0000b"}', "can't be a folder"),
        ('{"action":"move","folder":"a","copy":true}', '"move" has no field "copy"'),
        ('{"action":"note"}', 'the field "text" must be a text'),
    ],
)
def test_what_can_not_be_followed_is_refused_with_its_line(text, reason):
    with pytest.raises(ActionsRefused) as refused:
        parse(text.encode("latin-1"))
    assert reason in str(refused.value)
    assert str(refused.value).isprintable()


def test_limits():
    line = b'{"action":"seen"}\n'
    assert len(parse(line * MOST).actions) == MOST
    with pytest.raises(ActionsRefused, match=f"line {MOST + 1}: more than"):
        parse(line * (MOST + 1))
    with pytest.raises(ActionsRefused, match="larger than 256 kB"):
        parse(b"\n" * (SIZE_LIMIT + 1))


@given(st.binary() | st.dictionaries(st.text(), st.text()).map(json.dumps).map(str.encode))
def test_any_bytes_are_read_or_refused_in_words(data):
    with suppress(ActionsRefused):
        assert all(isinstance(action, Action) for action in parse(data).actions)
