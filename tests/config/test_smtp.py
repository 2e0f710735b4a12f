"""Relays, as the file gives them and as they are settled."""

import pytest

from watcher.cli.login import token_of
from watcher.config.smtp import known_relays
from watcher.errors import ConfigError, LoginNeeded
from watcher.model import Address

ACCOUNT = '[account.a]\naddress = "ann@gmail.com"\npassword = "x y"\n'


def relay(file, text, name="a"):
    return file.load(text, account=ACCOUNT).relays[name]


def test_an_account_sends_through_its_provider_with_its_own_login(file):
    made = relay(file, "")
    assert (made.host, made.port, made.tls, made.user) == ("smtp.gmail.com", 465, "implicit", "ann@gmail.com")
    assert made.source.fetch().reveal() == "x y"
    assert made.sender == Address("", "ann@gmail.com")


def test_a_section_of_the_same_name_changes_what_it_says(file):
    made = relay(file, '[smtp.a]\nhost = "relay.example.com"\nfrom = "Ann <ann@example.com>"\n')
    assert (made.host, made.port, made.tls, made.user) == ("relay.example.com", 587, "starttls", "ann@gmail.com")
    assert made.sender == Address("Ann", "ann@example.com")


def test_a_known_relay_has_a_login_of_its_own(file):
    made = relay(file, '[smtp.a]\nrelay = "sendgrid"\npassword = "key"\ndaily = 5\n')
    assert (made.host, made.tls, made.user, made.daily) == ("smtp.sendgrid.net", "starttls", "apikey", 5)
    assert made.source.fetch().reveal() == "key"
    assert "API key" in made.advice
    assert relay(file, '[smtp.here]\nrelay = "postfix"\n', "here").source is None


@pytest.mark.parametrize("name", known_relays())
def test_every_known_relay_can_be_named(file, name):
    made = relay(file, f'[smtp.x]\nrelay = "{name}"\nuser = "u"\npassword = "p"\n', "x")
    assert made.host == known_relays()[name].host


def test_a_token_of_the_account_serves_for_sending(file):
    account = '[account.a]\naddress = "a@outlook.com"\ntoken = { env = "T" }\n'
    made = file.load("", account=account).relays["a"]
    assert made.token
    assert (made.host, made.tls) == ("smtp.office365.com", "starttls")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[smtp.x]\nuser = "u"\n', "smtp.x: names no host"),
        ('[smtp.x]\nhost = "h"\ntls = "none"\n', 'smtp.x.tls: "none" is for this machine only'),
        ('[smtp.x]\nhost = "h"\npassword = "p"\n', "smtp.x.user: is missing"),
        ('[smtp.x]\nrelay = "sendgird"\n', "smtp.x.relay: is not a relay; did you mean 'sendgrid'?"),
        ('[smtp.a]\nfrom = "nobody"\n', "smtp.a.from: is not a sender"),
        ('[smtp.a]\nfrom = "a@b\\r\\nBcc: x@y"\n', "smtp.a.from: is not a sender"),
        ('[smtp.a]\nhots = "h"\n', "smtp.a.hots: is unknown; did you mean 'host'?"),
        ('[smtp.a]\ntls = "no"\n', "smtp.a.tls: is not known"),
        ("[smtp.a]\nrate = 0\n", "smtp.a.rate: is too small"),
        ('[smtp.a]\nkey = "k"\n', "smtp.a.key: stands without"),
    ],
)
def test_what_is_wrong_is_told(file, text, told):
    (problem,) = file.problems(text, account=ACCOUNT)
    assert told in problem


def test_the_password_of_a_relay_is_not_for_others_to_read(file):
    (problem,) = file.problems(
        '[smtp.a]\npassword = "p"\n', account=ACCOUNT.replace('"x y"', '{ env = "P" }'), mode=0o640
    )
    assert "smtp.a.password: others may read it" in problem


CLIENT = '[oauth.google]\nclient_id = "own"\n'


@pytest.mark.parametrize(
    "oauth", ['oauth = "google"', '[smtp.b.oauth]\nprovider = "google"\nclient_id = "own"'], ids=["name", "table"]
)
def test_a_relay_may_have_a_consent_of_its_own(file, oauth):
    text = f'{CLIENT}[smtp.b]\nhost = "smtp.gmail.com"\nuser = "other@gmail.com"\n{oauth}\n'
    config = file.load(text, account=ACCOUNT)
    made = config.relays["b"]
    assert (made.token, made.source.account, made.source.user) == (True, "smtp.b", "other@gmail.com")
    assert made.source.client.client_id == "own"
    with pytest.raises(LoginNeeded, match=r"imap-watcher login smtp\.b"):
        made.source.fetch()
    assert token_of(config, "smtp.b") is made.source
    assert not config.relays["a"].token


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('user = "u"\noauth = "nobody"', "names no section"),
        ('user = "u"\noauth = "google"\npassword = "p"', "stands beside oauth"),
        ('oauth = "google"', "nobody to log in"),
    ],
)
def test_a_consent_that_can_not_be_meant(file, text, problem):
    with pytest.raises(ConfigError, match=problem):
        file.load(f'{CLIENT}[smtp.b]\nhost = "h.example"\n{text}\n', account=ACCOUNT)
