"""The proxy of an account: how it is written, what is wrong with it, and that its password is never shown."""

import pytest

from tests.config.conftest import ACCOUNT
from watcher.config.proxies import Proxy
from watcher.config.secret import CommandSource, KeyringSource, PlainSource, Secret
from watcher.errors import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def proxy_of(file, written):
    (account,) = file.load(written + "\n").accounts
    return account.proxy.towards(account.host)


HUSH = PlainSource(Secret("hu:sh"))
WRITTEN = [
    ('proxy = "socks5://p.test:1080"', Proxy("socks5", "p.test", 1080)),
    ('proxy = "socks5h://[::1]:1080"', Proxy("socks5", "::1", 1080)),
    ('proxy = "http://p.test:3128/"', Proxy("http", "p.test", 3128)),
    ('proxy = "http://me:hu%3Ash@p.test:3128"', Proxy("http", "p.test", 3128, "me", HUSH)),
    ('proxy = { url = "http://p.test:3128" }', Proxy("http", "p.test", 3128)),
    ('proxy = { url = "http://me@p.test:3128", password = "hu:sh" }', Proxy("http", "p.test", 3128, "me", HUSH)),
    (
        'proxy = { url = "socks5://me@p.test:1", password = { command = "pass p" } }',
        Proxy("socks5", "p.test", 1, "me", CommandSource(("pass", "p"))),
    ),
    (
        'proxy = { url = "socks5://me@p.test:1", password = { keyring = "p" } }',
        Proxy("socks5", "p.test", 1, "me", KeyringSource("p", "me")),
    ),
]


@pytest.mark.parametrize(("written", "meant"), WRITTEN)
def test_how_it_is_written(file, written, meant):
    assert proxy_of(file, written) == meant


def test_paths_are_told_apart_by_their_proxy(file):
    (account,) = file.load('proxy = "socks5://me:hush@p.test:1080"\n').accounts
    assert account.path == "imap.example.com:993 through socks5://p.test:1080"
    assert "hush" not in repr(account)


ENVIRONMENTS = [
    ({}, None),
    ({"ALL_PROXY": "socks5h://p.test:1080"}, Proxy("socks5", "p.test", 1080)),
    ({"https_proxy": "p.test:3128"}, Proxy("http", "p.test", 3128)),
    ({"all_proxy": "http://a.test:1", "https_proxy": "http://b.test:2"}, Proxy("http", "a.test", 1)),
    ({"ALL_PROXY": "http://p.test:1", "NO_PROXY": "example.org,.example.com"}, None),
    ({"ALL_PROXY": "http://p.test:1", "NO_PROXY": "example.org"}, Proxy("http", "p.test", 1)),
    ({"HTTP_PROXY": "http://p.test:1"}, None),
]


@pytest.mark.parametrize(("set_", "meant"), ENVIRONMENTS)
def test_what_the_environment_says_counts_when_asked(file, environment, set_, meant):
    for name, value in set_.items():
        environment.setenv(name, value)
    assert proxy_of(file, 'proxy = "environment"') == meant
    (account,) = file.load("").accounts
    assert account.proxy is None


ALLOWED = (
    'allowed are "socks5://HOST:PORT", "http://HOST:PORT", both with USER:PASSWORD@ before HOST, '
    '"environment", or { url = "…", password = … }'
)
WRONG = [
    '"p.test:1080"',
    '"socks4://p.test:1080"',
    '"https://p.test:1080"',
    '"socks5://p.test"',
    '"socks5://:1080"',
    '"socks5://p.test:99999"',
    '"socks5://[p.test:1"',
    '"http://p.test:1/path"',
    "5",
    "{}",
    '{ password = "x" }',
]


@pytest.mark.parametrize("written", WRONG)
def test_what_is_no_proxy(file, written):
    assert file.problems(f"proxy = {written}\n") == [f"4: account.support.proxy: is not a proxy; {ALLOWED}"]


PROBLEMS = [
    ('{ url = "http://p.test:1", pasword = "x" }', "has an unknown key 'pasword'; did you mean 'password'?"),
    ('"http://:hush@p.test:1"', f"has a password and no user; {ALLOWED}"),
    (
        '{ url = "http://p.test:1", password = "hush" }',
        'has a password and no user; write it as url = "socks5://USER@HOST:PORT"',
    ),
    ('"http://me:a%0Ab@p.test:1"', "holds a control character"),
]


@pytest.mark.parametrize(("written", "problem"), PROBLEMS)
def test_what_is_wrong_with_it(file, written, problem):
    assert file.problems(f"proxy = {written}\n") == [f"4: account.support.proxy: {problem}"]


def test_a_bad_environment_is_told_at_once_and_without_its_password(file, environment):
    environment.setenv("ALL_PROXY", "ftp://me:hush@p.test:1")
    (problem,) = file.problems('proxy = "environment"\n')
    assert "ALL_PROXY or HTTPS_PROXY in the environment is not a proxy" in problem
    assert "hush" not in problem


@pytest.mark.parametrize("written", ['"http://me:hush@p.test:1"', '{ url = "http://me@p.test:1", password = "hush" }'])
def test_a_password_in_the_file_is_for_nobody_else(file, written):
    with pytest.raises(ConfigError, match=r"account\.support\.proxy: others may read it here"):
        file.load(f"proxy = {written}\n", mode=0o644)
    file.load('proxy = "http://me@p.test:1"\n', mode=0o644)


def test_a_certificate_is_proof_enough(file):
    account = ACCOUNT.replace('password = { command = "pass show support" }', 'certificate = "me.pem"\nkey = "me.key"')
    (loaded,) = file.load("", account=account).accounts
    assert (loaded.certificate, loaded.key) == (file.path.parent / "me.pem", file.path.parent / "me.key")
    assert loaded.secret.fetch() == Secret("")
