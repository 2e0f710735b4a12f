"""
The rules of the house hold, and hold for a reason: each is shown to catch a breach, so that taking one out of
pyproject.toml fails here.
"""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "watcher"
MODULES = sorted(PACKAGE.rglob("*.py"))

LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}

#: A module, and an import that must not stand in it.
BREACHES = [
    ("store/ledger.py", "import watcher.imap.link"),
    ("imap/tls.py", "import watcher.store.spool"),
    ("inbox/catchup.py", "import watcher.jobs.contract"),
    ("jobs/contract.py", "import watcher.inbox.catchup"),
    ("rules/match.py", "import watcher.outbox.after"),
    ("model.py", "import watcher.config.settings"),
    ("retry.py", "import watcher.store.database"),
    ("service/logs.py", "import watcher.daemon"),
    ("daemon.py", "import watcher.cli.exits"),
    ("inbox/watch.py", "import imapclient"),
    ("outbox/after.py", "import imaplib"),
    ("outbox/send.py", "import smtplib"),
    ("service/control.py", "import ssl"),
    ("jobs/host.py", "import http"),
    ("inbox/receive.py", "import sqlite3"),
    ("mail/tree.py", "import mailparser"),
    ("mail/unpack.py", "import subprocess"),
    ("mail/tree.py", "import chardet"),
    ("mail/tree.py", "import pybase64"),
    ("mail/tree.py", "import inscriptis"),
    ("mail/bodies.py", "import mailparser_reply"),
    ("mail/kinds.py", "import dkim"),
    ("mail/trust/judge.py", "import dns"),
    ("mail/trust/judge.py", "import publicsuffixlist"),
    ("daemon.py", "import subprocess"),
    ("jobs/dispatch.py", "import subprocess"),
    ("rules/match.py", "import re2"),
    ("store/desk.py", "import pydantic"),
    ("daemon.py", "import dns"),
    ("imap/tls.py", "import scramp"),
    ("daemon.py", "import typer"),
    ("daemon.py", "import rich"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE, tmp_path / "watcher", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_keeps_its_rules(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


def test_every_breach_is_caught(copy: Path) -> None:
    """All at once, since each run takes seconds; the report must name every one."""
    for module, line in BREACHES:
        path = copy / "watcher" / module
        path.write_text(path.read_text("utf-8") + f"\n{line}\n", "utf-8")
    result = lint(copy)
    assert result.returncode != 0
    report = " ".join(result.stdout.split())
    missed = [
        (module, line)
        for module, line in BREACHES
        if f"watcher.{module[:-3].replace('/', '.')} -> {line.removeprefix('import ')} " not in report
    ]
    assert not missed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= LONGEST_MODULE
    assert path.stem not in FORBIDDEN_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{node.name} is too long"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_sleeps_imports_late_or_is_left_for_later(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert not any(isinstance(inner, ast.Import | ast.ImportFrom) for inner in ast.walk(node)), node.name
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"time.sleep", "sleep"}, f"line {node.lineno}"
    assert not any(word in text for word in ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"))


def test_every_module_says_what_it_offers_and_what_it_is() -> None:
    silent = [
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if path.name != "__main__.py" and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def test_one_module_alone_decides_how_text_of_strangers_is_shown() -> None:
    deciding = {"isprintable", "unicode_escape"}
    found = [
        str(path.relative_to(PACKAGE)) for path in MODULES if any(word in path.read_text("utf-8") for word in deciding)
    ]
    assert found == ["printing.py"]
