"""Every text that a server is known to refuse with, as it came over the wire, and what it means."""

from pathlib import Path

import pytest

from watcher.config.providers import Cause, Remedy, profile_for, profiles
from watcher.imap.refusals import Phase, meaning
from watcher.imap.signals import reply

_, LOGIN, TOKEN, FOLDER, COMMAND = Phase

TABLE = (Path(__file__).parent / "refusals.txt").read_text(encoding="utf-8")
CASES = [line.split(maxsplit=3) for line in TABLE.splitlines() if line and not line.startswith("#")]


def told(line):
    answer = reply(f"A1 {line}\r\n".encode())
    assert answer is not None
    return answer


@pytest.mark.parametrize(("phase", "cause", "wait", "line"), CASES)
def test_what_a_refusal_means(phase, cause, wait, line):
    signal = meaning(Phase(phase), told(line))
    assert (signal.cause, signal.wait) == (cause, None if wait == "-" else float(wait))


def test_every_known_word_and_every_cause_is_met_by_a_case():
    """So that no word stands in a profile that nobody has seen on the wire, or that another one hides."""
    lines = [line.casefold() for *_, line in CASES]
    words = {refusal.says for profile in profiles() for refusal in profile.refusals if profile.name != "generic"}
    seldom = {"basicauthblocked"}
    assert {word for word in words if not any(word in line for line in lines)} == seldom
    assert {cause for _, cause, *_ in CASES} == set(Cause)


REMEDIES = [
    ("NO [AUTHENTICATIONFAILED] x", Remedy.STOP),
    ("NO [ALERT] Application-specific password required", Remedy.STOP),
    ("NO [PRIVACYREQUIRED] x", Remedy.FIX),
    ("NO [ALERT] Too many simultaneous connections. (Failure)", Remedy.EASE),
    ("NO [LIMIT] x", Remedy.EASE),
    ("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", Remedy.WAIT),
    ("NO [UNAVAILABLE] x", Remedy.WAIT),
    ("BYE Session invalidated - AccessTokenExpired", Remedy.REFRESH),
    ("BYE Autologout", Remedy.RECONNECT),
]


@pytest.mark.parametrize(("line", "remedy"), REMEDIES)
def test_what_is_done_about_it(line, remedy):
    assert meaning(LOGIN, told(line)).remedy is remedy


def test_a_folder_is_parked_and_the_account_goes_on():
    assert meaning(FOLDER, told("NO x")).remedy is Remedy.PARK


@pytest.mark.parametrize(
    ("challenge", "cause"),
    [
        ('{"status":"invalid_token","scope":"mail"}', Cause.TOKEN),
        ('{"status":"insufficient_scope"}', Cause.FORBIDDEN),
        ('{"status":"400","schemes":"Bearer","scope":"https://mail.example/"}', Cause.TOKEN),
        ("", Cause.TOKEN),
    ],
)
def test_the_challenge_before_the_refusal_of_a_token_counts(challenge, cause):
    line = told("NO [AUTHENTICATIONFAILED] Invalid credentials")
    assert meaning(TOKEN, line, challenge=challenge).cause is cause


@pytest.mark.parametrize(
    ("address", "line", "words"),
    [
        ("a@gmail.com", "NO [AUTHENTICATIONFAILED] x", "app password"),
        ("a@outlook.com", "NO LOGIN failed.", "App passwords do not help"),
        ("a@qq.com", "NO x", "授权码"),
        ("a@163.com", "NO SELECT Unsafe Login.", "nothing is wrong with your account"),
        ("a@yahoo.com", "NO x", "security page"),
        ("a@icloud.com", "NO [AUTHENTICATIONFAILED] x", "the part before the @"),
        ("a@zoho.com", "NO [LIMIT] x", "about three connections"),
        ("a@gmx.de", "NO [AUTHENTICATIONFAILED] x", "allow IMAP in the web settings"),
        ("a@proton.me", "NO [UNAVAILABLE] x", "Bridge running"),
        ("a@firm.example", "NO [LIMIT] x", "the password is not wrong"),
    ],
)
def test_a_person_is_told_the_cure_of_the_own_provider(address, line, words):
    assert words in meaning(LOGIN, told(line), profile_for(address)).words


def test_words_of_another_provider_are_known_too():
    """A domain may be hosted there without our knowing."""
    line = told("NO Login fail. Please using weixin token")
    assert meaning(LOGIN, line, profile_for("a@firm.example")).cause is Cause.APP_PASSWORD
