"""Real replies of real servers, and what each must lead to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.config.providers import profile_for
from watcher.config.units import parse_duration
from watcher.model import Verdict
from watcher.outbox.signals import Phase, Trouble, knowledge, meaning, reply

OTHER = profile_for("a@example.com")


def cases():
    rows = Path(__file__).with_name("replies.txt").read_text("utf-8").splitlines()
    return [tuple(cell.strip() for cell in row.split(" | ")) for row in rows if row and not row.startswith("#")]


CASES = cases()


@pytest.mark.parametrize(
    ("phase", "domain", "trouble", "verdict", "wait", "words", "line"), CASES, ids=[c[-1][:60] for c in CASES]
)
def test_each_real_reply_leads_to_its_class_verdict_wait_and_words(phase, domain, trouble, verdict, wait, words, line):
    told = reply(int(line[:3]), line[4:].replace("\\n", "\n").encode())
    signal = meaning(told, Phase(phase), profile_for(f"a@{domain}"))
    assert (signal.trouble, signal.verdict) == (trouble, verdict)
    assert words
    assert words in signal.words
    assert signal.wait == (None if wait in {"grows", "none"} else parse_duration(wait))
    assert (wait == "none") == (signal.verdict is Verdict.NEVER)


def test_there_are_enough_of_them_and_every_class_is_met():
    assert len({line for *_, line in CASES}) >= 120
    assert {trouble for _, _, trouble, *_ in CASES} == set(Trouble)


@pytest.mark.parametrize("code", [421, 450, 451, 452])
@pytest.mark.parametrize("phase", list(Phase))
def test_a_passing_code_without_words_is_never_the_end(code, phase):
    assert meaning(reply(code, b"sorry"), phase).verdict is Verdict.LATER


@pytest.mark.parametrize("code", [530, 535, 550])
@pytest.mark.parametrize("phase", list(Phase))
def test_a_lasting_code_without_words_is_not_tried_again_by_itself(code, phase):
    signal = meaning(reply(code, b"no"), phase)
    assert signal.verdict in {Verdict.NEVER, Verdict.HOLD}
    assert signal.verdict is Verdict.NEVER or signal.wait >= 900


def test_a_relay_has_advice_of_its_own():
    told = reply(535, b"Authentication failed: Bad username / password")
    assert meaning(told, Phase.AUTH, OTHER, "user is apikey, the password an API key").words.startswith(
        "user is apikey"
    )


def test_a_reply_of_several_lines_is_one_line_that_can_be_shown():
    told = reply(550, b"5.7.1 first\n5.7.1 sec\x1b[31mond\r")
    assert (told.code, told.status, told.text) == (550, "5.7.1", "first sec\\x1b[31mond")
    assert str(told) == "550 5.7.1 first sec\\x1b[31mond"


@given(st.integers(400, 599), st.binary(max_size=300), st.sampled_from(Phase))
def test_any_reply_means_something(code, words, phase):
    signal = meaning(reply(code, words), phase, OTHER)
    assert signal.words
    assert str(reply(code, words)).isprintable()


def test_every_trouble_has_words_and_every_entry_is_of_use():
    assert set(knowledge().words) == set(Trouble)
    assert set(knowledge().passing) < set(Trouble)
    assert set(knowledge().phase) == set(Phase)
    said = [one.says for one in knowledge().replies]
    assert len(said) == len(set(said))
    hidden = [(a, b) for at, b in enumerate(said) for a in said[:at] if a in b]
    assert not hidden
