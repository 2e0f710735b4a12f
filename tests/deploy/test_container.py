"""What is shipped for containers: as far as it can be seen without building one."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "container"
RECIPE = (CONTAINER / "Containerfile").read_text()
SERVICE = yaml.safe_load((CONTAINER / "compose.yaml").read_text())


def lists(instruction: str) -> list[list[str]]:
    """What stands behind an instruction, each time that it is there."""
    return [json.loads(found) for found in re.findall(rf"^\s*{instruction} (\[.*\])$", RECIPE, re.MULTILINE)]


def test_what_it_runs_are_commands_of_ours():
    [entry] = lists("ENTRYPOINT")
    health, run = lists("CMD")
    for command in (health, [*entry, *run]):
        assert command[:3] == ["imap-watcher", "--config", "/etc/imap-watcher/config.toml"]
        asked = [sys.executable, "-m", "watcher", command[3], "--help"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert all(word in told for word in command[4:] if word.startswith("--"))


def test_it_is_not_root_and_keeps_its_state():
    assert "USER imap-watcher" in RECIPE
    mounts = [volume.split(":") for volume in SERVICE["services"]["imap-watcher"]["volumes"]]
    assert {target for _, target, *_ in mounts} >= set(re.findall(r"^VOLUME (.*)$", RECIPE, re.MULTILINE))
    assert all(options == ["ro"] for _, target, *options in mounts if target.startswith("/etc"))
    assert set(SERVICE["services"]["imap-watcher"]["secrets"]) == set(SERVICE["secrets"])


def test_it_copies_all_that_the_package_is_made_of_and_nothing_else():
    """Not the whole checkout: its history and environment are larger than the image."""
    copied = {
        name for names in re.findall(r"^COPY (?!--from)(.*) \S+$", RECIPE, re.MULTILINE) for name in names.split()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {project["project"]["readme"], *project["project"]["license-files"], *wheel["packages"]}
    assert copied == {"pyproject.toml", *needed, *wheel["shared-data"]}
    assert all((ROOT / name).exists() for name in copied)
