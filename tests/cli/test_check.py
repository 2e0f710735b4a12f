import json

import pytest
from typer.testing import CliRunner

from watcher.cli.main import app

CONFIG = """
[account.support]
address = "support@example.com"
password = {password}

[[rule]]
run = ["save", "book"]

[[rule]]
run = ["save"]
"""


@pytest.fixture
def check(tmp_path):
    handlers = tmp_path / "handlers"
    handlers.mkdir()

    def run(*arguments, password='{ env = "X" }', present=("save.py", "book"), mode=0o600, more=""):
        path = tmp_path / "config.toml"
        path.write_text(CONFIG.format(password=password) + more)
        path.chmod(mode)
        for name in present:
            (handlers / name).touch()
        return path, CliRunner().invoke(app, ["--config", str(path), "check", *arguments])

    return run


def test_all_right(check):
    path, result = check()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{path}: all right: 1 account, 2 rules, 2 handlers\n"


def test_warnings_do_no_harm(check):
    path, result = check(more="[handler.other]\n")
    assert result.exit_code == 0
    assert result.stderr == f"warning: {path}:11: handler.other: is named by no rule\n"


def test_a_missing_handler_is_a_problem(check):
    path, result = check(present=("save.py",))
    assert (result.exit_code, result.stdout) == (78, "")
    told = f"{path}:7: rule[1].run[2]: there is no handler book in {path.parent / 'handlers'}; known here: save\n"
    assert result.stderr == told


def test_all_problems_at_once(check):
    path, result = check(password='"c4n4ry"', mode=0o644, more="color = 1\n[watcher]\nlog = 5\n")
    assert (result.exit_code, result.stdout) == (78, "")
    assert [line.removeprefix(f"{path}:").split(": ")[:2] for line in result.stderr.splitlines()] == [
        ["4", "account.support.password"],
        ["11", "rule[2].color"],
        ["13", "watcher.log"],
    ]


def test_no_file(tmp_path):
    result = CliRunner().invoke(app, ["--config", str(tmp_path / "none"), "check"])
    assert result.exit_code == 78
    assert (
        result.stderr
        == f"{tmp_path}/none: is not there; `imap-watcher init ADDRESS` makes one, --config FILE names another\n"
    )


def test_json(check):
    path, result = check("--json", more="[handler.other]\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "file": str(path),
        "right": True,
        "accounts": 1,
        "rules": 2,
        "handlers": 2,
        "problems": [],
        "warnings": [f"{path}:11: handler.other: is named by no rule"],
    }
    path, result = check("--json", more="color = 1\n")
    assert (result.exit_code, result.stderr) == (78, "")
    found = json.loads(result.stdout)
    assert (found["right"], found["accounts"]) == (False, 0)
    assert found["problems"] == [
        f"{path}:11: rule[2].color: is unknown; known here: name, when, run, then, on_dead, stop"
    ]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_no_secret_is_told(check, arguments):
    for more in ("", "color = 1\n", "= broken\n"):
        result = check(*arguments, password='"c4n4ry"', more=more)[1]
        assert "c4n4ry" not in result.output
