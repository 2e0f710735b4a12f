"""`docs/configuration.md` tells what the model tells: every key, its true default; and its examples work."""

import dataclasses
import re
import tomllib

import pytest

from tests.config.configuration_page import PAGE, SECTIONS, page, rows
from tests.config.conftest import ACCOUNT
from watcher.config.problems import known_keys

TEXT = PAGE.read_text(encoding="utf-8")


def test_its_tables_are_made_from_the_model():
    assert page(TEXT) == TEXT, "run: make docs"


@pytest.mark.parametrize("shape", SECTIONS.values())
def test_every_key_is_told_in_whole_sentences(shape):
    told = {key.strip("`"): meaning for key, _, _, meaning in rows(shape)}
    assert list(told) == known_keys(shape)
    assert [key for key, meaning in told.items() if not re.fullmatch(r"[A-Z0-9].*[.)]", meaning)] == []


WRITTEN = [
    (heading, key.strip("`"), default.strip("`"))
    for heading, shape in SECTIONS.items()
    for key, default, _, _ in rows(shape)
    if re.fullmatch(r'`("[^`]*"|[\d\[\]{}"A-Z]+|true|false)`', default)
]


def test_most_defaults_are_written_as_values():
    assert len(WRITTEN) == 48


@pytest.mark.parametrize(("heading", "key", "default"), WRITTEN)
def test_writing_a_default_is_the_same_as_leaving_it_out(file, heading, key, default):
    section = {"## `[account.NAME]`": "", "### Conditions": "[[rule]]\n[rule.when]\n"}.get(heading)
    if section is None:
        section = heading.strip("#` ").replace("NAME", "x") + "\n"
    without, given = (
        dataclasses.replace(file.load(section + line), warnings=()) for line in ("", f"{key} = {default}\n")
    )
    assert given == without


BLOCKS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_examples_work(file, block):
    for rule in tomllib.loads(block).get("rule", []):
        for name in rule.get("run", []):
            (file.handlers / name).touch()
    block = block.replace('handlers = "/etc/imap-watcher/handlers"', 'handlers = "handlers"')
    if "[[rule]]" not in block:
        block += '[[rule]]\nthen = ["seen"]\n'  # without one there is a warning, and rightly
    config = file.load(block, account="" if "[account." in block else ACCOUNT, strict=True)
    assert config.warnings == ()


def test_each_way_to_write_a_proxy_works(file, monkeypatch):
    section = TEXT.split("### Proxies\n", 1)[1].split("\n## ", 1)[0]
    ways = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    assert len(ways) == 5
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    for way in ways:
        (account,) = file.load(f"proxy = {way}\n").accounts
        assert "through" in account.path


def test_each_way_to_write_a_password_works(file):
    section = TEXT.split("### Passwords\n", 1)[1].split("\n### ", 1)[0]
    ways = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    assert len(ways) == 6
    for way in ways:
        assert file.load("", account=f'[account.a]\naddress = "a@b"\npassword = {way}\n').accounts


def test_each_action_works(file):
    section = TEXT.split("### Actions\n", 1)[1].split("\n## ", 1)[0]
    ways = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    assert len(ways) == 5
    for way in ways:
        assert file.load(f"[[rule]]\nthen = [{way}]\n").rules[0].then


def test_lines_of_prose_are_short_enough_to_read():
    assert [line for line in TEXT.splitlines() if len(line) > 130 and not line.startswith(("|", "when"))] == []
