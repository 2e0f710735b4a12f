"""`docs/operating.md` names commands that exist, and explains each state and each error."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from watcher.cli.main import app
from watcher.inbox.pulse import State

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operating.md").read_text("utf-8")
COMMANDS = sorted(set(re.findall(r"(?:^|`)(?:sudo -u imap-watcher )?imap-watcher ([^`|\n]+)", TEXT, re.MULTILINE)))

#: Calls, and which of their arguments is the text.
LOUD = {"log.error": 0, "log.exception": 0, "log.critical": 0, "log.log": 1}


def errors() -> list[str]:
    """The texts of all that is logged as an error, or may be (`log.log`)."""
    calls = (
        node
        for path in (ROOT / "watcher").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in LOUD
    )
    texts = [call.args[LOUD[ast.unparse(call.func)]] for call in calls]
    assert all(isinstance(text, ast.Constant) for text in texts)
    return sorted(text.value for text in texts if isinstance(text, ast.Constant))


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_exists_with_its_options(line):
    command = typer.main.get_command(app)
    taking = {option for parameter in command.params for option in parameter.opts}
    for word in shlex.split(line):
        if word.startswith("-"):
            taking |= {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            }
            assert word in taking, f"{command.name} has no {word}"
        elif word in getattr(command, "commands", {}):
            command = command.commands[word]
    assert not getattr(command, "commands", None), f"which command is {line}?"


def test_commands_are_found():
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("state", State)
def test_each_state_is_explained(state):
    assert f"\n| `{state}` | " in TEXT


@pytest.mark.parametrize("text", errors())
def test_each_error_is_explained(text):
    shown = re.sub("…+", "…", re.sub(r"%[.\d]*[sdf]", "…", text)).replace(" s…", " s")
    assert f"`{shown}`" in TEXT


def test_lines_of_prose_are_short_enough_to_read():
    assert [line for line in TEXT.splitlines() if len(line) > 130 and not line.startswith("|")] == []


def test_links_within_the_page_lead_somewhere():
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", TEXT)) <= anchors
