"""An older ledger is brought up to the format of this program, a newer one is refused."""

import importlib.resources
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.conftest import Books, arrival
from watcher.errors import DatabaseRefused
from watcher.model import Plan, Step
from watcher.store.migrations import VERSION, Migration, format_of, known_migrations, migrate

PACKAGE = Path(__file__).parents[2] / "watcher"
FORMATS = Path(__file__).parent / "formats"  #: the schema of each past format, as N.sql

WIDER = Migration(2, "ALTER TABLE mail ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'; UPDATE mail SET colour = key;")
ANEW = Migration(
    3,
    """
    CREATE TABLE fresh (id INTEGER PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL);
    INSERT INTO fresh SELECT id, account, name FROM folder;
    DROP TABLE folder;
    ALTER TABLE fresh RENAME TO folder;
    """,
)


@pytest.fixture
def ledger(books: Books):
    """A ledger of format 1 with something in it."""
    books.route(Plan((Step("book", "r"),)))
    books.database.close()
    with closing(sqlite3.connect(books.state / "ledger.db", isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA user_version = 1")
        yield database


def content(database: sqlite3.Connection) -> list[str]:
    return list(database.iterdump())


def test_steps_are_made_in_order(ledger):
    migrate(ledger, [WIDER, ANEW])
    assert format_of(ledger) == 3
    assert ledger.execute("SELECT colour, name FROM mail JOIN folder ON folder.id = mail.folder").fetchall() == [
        ("a-INBOX-1", "INBOX")
    ]
    before = content(ledger)
    migrate(ledger, [WIDER, ANEW])
    assert content(ledger) == before
    with pytest.raises(sqlite3.IntegrityError):
        ledger.execute("DELETE FROM folder")  # it is referred to, and that counts again


@pytest.mark.parametrize(
    "broken",
    [
        Migration(3, "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1);"),
        Migration(3, "UPDATE mail SET folder = 99;"),
        Migration(3, "CREATE TABLE half (x"),
    ],
)
def test_a_step_that_does_not_fit_leaves_all_as_it_was(ledger, broken):
    before = content(ledger)
    with pytest.raises(DatabaseRefused, match="from format 1 to 3"):
        migrate(ledger, [WIDER, broken])
    assert content(ledger) == before
    assert format_of(ledger) == 1


def test_each_past_format_becomes_that_of_the_schema():
    schema = importlib.resources.files("watcher.store").joinpath("schema.sql").read_text("utf-8")
    assert [migration.to for migration in known_migrations()] == list(range(2, VERSION + 1))
    for number in range(1, VERSION):
        with (
            closing(sqlite3.connect(":memory:", isolation_level=None)) as old,
            closing(sqlite3.connect(":memory:")) as new,
        ):
            old.executescript((FORMATS / f"{number}.sql").read_text("utf-8") + f"PRAGMA user_version = {number};")
            migrate(old, known_migrations())
            new.executescript(schema)
            assert shape(old) == shape(new)


def shape(database: sqlite3.Connection) -> dict[str, object]:
    """Each table with its columns, each index as it was written."""
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    indexes = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index'").fetchall()
    return {**{name: database.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}, **dict(indexes)}


def test_a_ledger_goes_up_with_the_program_and_not_down(tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    books = Books(state)
    books.receive(arrival(1))
    books.database.close()
    shutil.copytree(PACKAGE, tmp_path / "next" / "watcher", ignore=shutil.ignore_patterns("__pycache__"))
    migrations = tmp_path / "next" / "watcher" / "store" / "migrations"
    script = migrations / "__init__.py"
    script.write_text(script.read_text().replace(f"VERSION = {VERSION} ", f"VERSION = {VERSION + 1} "))
    (migrations / f"{VERSION + 1}.sql").write_text(WIDER.script)

    newer = list_jobs(tmp_path, tmp_path / "next")
    assert newer.returncode == 0, newer.stderr
    assert "unpack" in newer.stdout
    kept = state / f"ledger.db.format-{VERSION}"
    with closing(sqlite3.connect(kept)) as before:
        assert format_of(before) == VERSION
        assert before.execute("SELECT key FROM mail").fetchall() == [("a-INBOX-1",)]
    assert kept.stat().st_mode & 0o077 == 0

    older = list_jobs(tmp_path)
    assert older.returncode == 78
    assert f"format {VERSION + 1}, this one knows up to {VERSION}" in older.stderr
    (state / "ledger.db").unlink()
    kept.rename(state / "ledger.db")
    assert list_jobs(tmp_path).returncode == 0


def list_jobs(home: Path, package: Path | None = None) -> subprocess.CompletedProcess[str]:
    """By this program, or by the copy of it in `package`."""
    config = home / "config.toml"
    config.write_text(
        '[account.a]\naddress = "a@example.com"\npassword = { env = "NEVER" }\n'
        f'[[rule]]\nthen = ["seen"]\n[watcher]\nstate = "{home}/state"\n'
    )
    environment = {**os.environ, **({"PYTHONPATH": str(package)} if package else {})}
    command = [sys.executable, "-m", "watcher", "--config", str(config), "jobs", "list"]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=60)
