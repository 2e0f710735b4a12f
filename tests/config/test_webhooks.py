"""Where a webhook may lead: what can be told from the configuration alone."""

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.config.webhooks import is_public
from watcher.errors import ConfigError

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]

OURS = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # where clouds tell their secrets
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible, of old
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",  # a translator of one's own
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4 of 127.0.0.1
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address(address):
    assert is_public(address)


@pytest.mark.parametrize("address", OURS)
def test_an_address_that_is_not_everybody_s(address):
    assert not is_public(address)


RULE = '[[rule]]\nrun = ["hook"]\n[handler.hook]\n'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('url = "http://hooks.example.org/"', "url is not https, so anyone on the way reads the mail"),
        ('url = "https://10.0.0.1/"', "url leads to 10.0.0.1, which is not a public address"),
        ('url = "https://[::1]/"', "url leads to ::1, which is not a public address"),
        ('url = "ftp://example.org/"', "is not the address of a webhook"),
        ('url = "https:///path"', "is not the address of a webhook"),
        ('url = "https://.example.org/"', "is not the address of a webhook"),
        ('url = "https://example..org/"', "is not the address of a webhook"),
        ('url = "https://example.org:99999/"', "is not the address of a webhook"),
        ('url = "https://ann:secret@example.org/"', "holds a user or a fragment"),
        ('url = "https://example.org/#x"', "holds a user or a fragment"),
        ('url = "https://example.org/a b"', "holds a blank or a character that no URL can"),
        ('url = "https://example.org/ä"', "holds a blank or a character that no URL can"),
        ('url = "https://example.org/"\ncommand = ["cat"]', "has command and url; allowed is one of them"),
        ('url = "https://example.org/"\nentry_point = "x"', "has entry_point and url; allowed is one of them"),
        ('url = "https://example.org/"\nallow_private = 1', "is neither true nor false"),
        ('url = "https://example.org/"\nsecret = { nowhere = "x" }', "'nowhere' is not a source of a signing secret"),
        ("command = [3]", "is not text"),
        ('command = ""', "is not a list"),
    ],
)
def test_what_is_wrong_is_told_at_once_and_without_secrets(file, lines, words):
    with pytest.raises(ConfigError) as refused:
        file.load(RULE + lines)
    [problem] = refused.value.problems
    assert words in problem
    assert "secret@" not in problem


@pytest.mark.parametrize("url", ["http://hooks.example.org/", "https://10.0.0.1/", "http://localhost:8080/x?y=1"])
def test_what_is_allowed_by_hand(url):
    assert HandlerSettings(url=url, allow_private=True).url == url


def test_a_proxy_of_the_environment_that_is_none_is_told_when_the_file_is_read(file, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "ftp://nowhere")
    [problem] = file.problems(RULE + 'url = "https://example.org/"\nproxy = "environment"')
    assert "ALL_PROXY or HTTPS_PROXY in the environment" in problem


def test_handlers_that_are_no_files_are_not_missing(file):
    for line in ('url = "https://example.org/"', 'command = ["cat"]'):
        assert file.load(RULE + line, strict=True).warnings == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('command = ["no-such-filter"]', "the command 'no-such-filter' of handler hook is not there"),
        (
            'entry_point = "nobody"',
            "the entry point 'nobody' of handler hook is not in the group imap_watcher.handlers",
        ),
    ],
)
def test_programs_that_are_not_there_are_told(file, line, words):
    [warning] = file.load(RULE + line).warnings
    assert words in warning


def test_a_secret_in_a_file_that_others_may_read_is_told(file):
    [problem] = file.problems(RULE + 'url = "https://example.org/"\nsecret = "whsec_x"', mode=0o644)
    assert "handler.hook.secret: others may read it here (mode 0644)" in problem
    assert "whsec_x" not in problem
