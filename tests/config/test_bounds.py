"""The section [limits]."""

import dataclasses
from pathlib import Path

import pytest

from watcher.config import load
from watcher.config.bounds import parse_limits
from watcher.errors import ConfigError
from watcher.limits import USUAL, Limits

BASE = "[account.a]\naddress = 'a@example.com'\npassword = 'x'\n[[rule]]\nthen = ['seen']\n"


def test_every_limit_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(BASE + "[limits]\nseconds = '5s'\nmemory = '300M'\nparts = 7\n")
    path.chmod(0o600)
    assert load(path).limits == dataclasses.replace(USUAL, seconds=5.0, memory=300 << 20, parts=7)
    for field in dataclasses.fields(Limits):
        assert getattr(parse_limits({field.name: 3}), field.name) == 3


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("partz = 5", "did you mean 'parts'?"),
        ("parts = 0", "parts is not a number of things"),
        ("memory = 'lots'", "memory is not a size"),
        ("seconds = true", "seconds is not a duration"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, written: str, told: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(BASE + f"[limits]\n{written}\n")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=told.replace("?", r"\?")):
        load(path)


def test_the_documentation_names_each() -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    section = text.split("## `[limits]`")[1]
    assert all(f"`{field.name}`" in section for field in dataclasses.fields(Limits))
