"""The manual page tells every command and option, in roff that groff takes without a word; shells complete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.inside import run_inside
from watcher.cli import exits
from watcher.cli.main import app
from watcher.cli.man.page import escaped


def rendered(page: str) -> str:
    """As a terminal 300 columns wide shows it, without a line end within a sentence; groff may not warn of anything."""
    command = ["groff", "-man", "-ww", "-Tutf8", "-Kutf8", "-P-c", "-P-b", "-P-o", "-P-u", "-rLL=300n", "-rHY=0"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return " ".join(done.stdout.split())


def walk(command, name=""):
    for below, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield f"{name}{below}", inner
            yield from walk(inner, f"{name}{below} ")


@pytest.fixture(scope="module")
def page():
    done = run_inside("man")
    assert done.returncode == 0
    return rendered(done.stdout)


@pytest.mark.parametrize(("name", "command"), [*walk(typer.main.get_command(app))], ids=lambda value: str(value)[:20])
def test_each_command_and_option_is_told(page, name, command):
    if not getattr(command, "commands", None):
        assert f"imap-watcher {name} " in page
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.hidden and not hasattr(command, "commands"):
            assert set(parameter.opts) <= set(page.replace(",", " ").split()), parameter.opts
            assert " ".join(parameter.help.replace("`", "").split()) in page


def test_each_exit_status_is_told(page):
    named = {value for name, value in vars(exits).items() if isinstance(value, int)}
    assert named == set(exits.MEANINGS)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for code, meaning in exits.MEANINGS.items():
        assert f"{code} {meaning}" in page
        assert f"\n| {code} | " in readme


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40))
def test_no_text_is_taken_for_a_request(text):
    line = escaped(text)
    assert not line.startswith((".", "'"))
    assert "'" not in line


def test_what_roff_would_swallow_is_shown():
    text = r".TH 'quoted' C:\dir --option-name ~/x ^C"
    page = f".TH X 1\n.SH NAME\nx \\- y\n.SH DESCRIPTION\n{escaped(text)}\n{escaped(chr(39) + 'SH')}\n"
    assert text in rendered(page)


def test_shells_complete_from_what_is_installed(tmp_path):
    done = run_inside("man", "--to", str(tmp_path / "share"))
    files = sorted(tmp_path.rglob("*imap-watcher*"))
    assert [str(path) for path in files if path.is_file()] == sorted(done.stdout.split())
    assert {path.stat().st_mode & 0o777 for path in files if path.is_file()} == {0o644}
    assert (tmp_path / "share" / "man").stat().st_mode & 0o777 == 0o755
    script = tmp_path / "share" / "bash-completion" / "completions" / "imap-watcher"
    lines = f'. "{script}"; COMP_WORDS=(imap-watcher stat) COMP_CWORD=1; _imap_watcher_completion imap-watcher'
    told = subprocess.run(
        ["bash", "-ec", f'{lines}; echo "${{COMPREPLY[@]}}"'],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.strip() == "status"
