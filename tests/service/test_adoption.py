"""What another configuration means for a daemon that runs, and what becomes of one that is wrong."""

import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from watcher.config import load
from watcher.config.accounts import Account
from watcher.config.standing import Standing
from watcher.errors import ConfigError
from watcher.service.adoption import Adoption, changes, examine
from watcher.service.control import Refused
from watcher.service.pausing import Pausing
from watcher.store.database import Database
from watcher.store.pauses import Pauses

ACCOUNT = '[account.{0}]\naddress = "{0}@example.com"\npassword = "secret of {0}"\n'
BOTH = ACCOUNT.format("ann") + ACCOUNT.format("bob")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    path.write_text(BOTH)
    return path


def read(file: Path, text: str):
    file.write_text(text)
    return load(file)


class Accounts:
    """Stands for those that are watched."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self, account: Account) -> None:
        self.calls.append(f"begin {account.name}")

    def end(self, name: str) -> None:
        self.calls.append(f"end {name}")


@pytest.mark.parametrize(
    ("text", "end", "begin", "fixed"),
    [
        (BOTH, (), (), ()),
        ("# a remark\n" + BOTH, (), (), ()),
        (ACCOUNT.format("bob"), ("ann",), (), ()),
        (BOTH + ACCOUNT.format("carol"), (), ("carol",), ()),
        (ACCOUNT.format("ann") + 'poll = "7s"\n' + ACCOUNT.format("bob"), ("ann",), ("ann",), ()),
        (BOTH.replace("secret of bob", "another"), ("bob",), ("bob",), ()),
        (ACCOUNT.format("bob") + ACCOUNT.format("ann"), (), (), ()),
        (BOTH + "[[rule]]\nthen = ['seen']\n[handler.book]\ntimeout = '1s'\n", (), (), ()),
        (BOTH + "[watcher]\nkeep_done = '1d'\nlog = 'debug'\n", (), (), ()),
        (BOTH + "[watcher]\nrunners = 3\nstate = '/x'\n", (), (), ("state", "socket", "runners")),
        (BOTH + "[limits]\nheader = '1MB'\n", (), (), ("limits",)),
    ],
)
def test_only_what_has_changed_is_touched(file, text, end, begin, fixed):
    found = changes(load(file), read(file, text))
    assert found.end == end
    assert tuple(account.name for account in found.begin) == begin
    assert tuple(name.removeprefix("watcher.") for name in found.fixed) == fixed


def test_a_pause_waits_until_another_one_is_in_force(file, tmp_path):
    """Else it would watch again an account that has just gone, or let go of it twice."""
    ended, go_on = threading.Event(), threading.Event()
    (tmp_path / "state").mkdir()
    standing, accounts = Standing(load(file)), Accounts()
    adoption, end = Adoption(standing, accounts), accounts.end

    def end_slowly(name: str) -> None:
        ended.set()
        assert go_on.wait(30)
        end(name)

    accounts.end = end_slowly
    with closing(Database(tmp_path / "state")) as database, ThreadPoolExecutor() as pool:
        pausing = Pausing(standing, Pauses(database), accounts, lambda: None)
        file.write_text(ACCOUNT.format("ann") + ACCOUNT.format("carol"))
        adopted = pool.submit(adoption.look)
        assert ended.wait(30)
        paused = pool.submit(pausing.pause, name="bob")
        with pytest.raises(TimeoutError):
            paused.result(0.2)
        go_on.set()
        assert adopted.result(30)
        with pytest.raises(Refused, match="there is no account or handler bob"):
            paused.result(30)
    assert accounts.calls == ["end bob", "begin carol"]


def test_a_right_one_is_put_in_force_once(file):
    standing, accounts = Standing(load(file)), Accounts()
    adoption = Adoption(standing, accounts)
    assert not adoption.look()
    file.write_text(ACCOUNT.format("ann") + ACCOUNT.format("carol") + "[watcher]\nrunners = 3\nkeep_done = '1d'\n")
    assert adoption.look()
    assert accounts.calls == ["end bob", "begin carol"]
    assert standing.account("carol")
    assert not standing.account("bob")
    assert standing.config.watcher.keep_done == 86400
    assert standing.config.watcher.runners == 8  # as it was built
    assert not adoption.look()


def test_a_wrong_one_is_told_and_the_old_one_stays(file, caplog):
    standing, accounts = Standing(load(file)), Accounts()
    adoption = Adoption(standing, accounts)
    old = standing.config
    file.write_text(BOTH + "nonsense = 1\n")
    assert not adoption.look()
    assert standing.config is old
    assert len(standing.refused) == 1
    assert "config.toml:7: account.bob.nonsense" in standing.refused[0]
    assert [record.message for record in caplog.records] == [
        f"the configuration stays as it was: {standing.refused[0]}"
    ]
    assert not adoption.look()
    assert len(caplog.records) == 1
    file.unlink()
    assert not adoption.look()
    assert "is not there" in standing.refused[0]
    file.write_text(BOTH)
    file.chmod(0o600)
    assert adoption.look()
    assert not standing.refused
    assert accounts.calls == []


def test_what_could_not_be_read_may_be_read_later(file, monkeypatch, tmp_path, caplog):
    standing = Standing(load(file))
    adoption = Adoption(standing, Accounts())
    file.write_text(ACCOUNT.format("ann"))
    (tmp_path / "sitecustomize.py").write_text("import os; os.abort()")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        assert not adoption.look()
        assert not adoption.look()
    assert len(caplog.records) == len(standing.refused) == 1
    assert adoption.look()
    assert not standing.refused


def test_a_machine_that_is_short_of_something_looks_later(file, caplog):
    standing = Standing(load(file))
    adoption = Adoption(standing, Accounts())
    file.write_text(ACCOUNT.format("ann"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open() as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, before[1]))
        try:
            assert not adoption.look()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert "can't be looked at" in caplog.text
    assert adoption.look()


def test_a_file_that_kills_its_reader_does_not_kill_us(file, monkeypatch, tmp_path):
    """The child dies in our place: here of a module of ours that aborts."""
    (tmp_path / "sitecustomize.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ConfigError, match="would end the daemon"):
        examine(file)
