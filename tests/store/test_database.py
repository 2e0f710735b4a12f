"""The file: what is refused, what is fatal, what shares a commit."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.conftest import Books, arrival
from watcher.errors import DatabaseRefused, SpoolFull, StateLocked, StorageFailed, WatcherError
from watcher.store.database import Database
from watcher.store.lock import hold_state


def open_and_close(state: Path) -> None:
    Database(state).close()


@pytest.fixture
def used(tmp_path: Path) -> Path:
    books = Books(tmp_path)
    for uid in range(1, 200):
        books.receive(arrival(uid))
    books.database.close()
    return tmp_path


def foreign(path: Path) -> None:
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.close()


def newer(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()


def damaged(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("UPDATE meta SET value = '0' WHERE name = 'clean'")
    other.commit()
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(data)


SPOILED = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "missing": (lambda path: path.unlink(), "is missing"),
    "garbage": (lambda path: path.write_bytes(b"garbage" * 1000), "can't be used"),
    "half": (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "can't be used|is damaged"),
    "foreign": (foreign, "of another program"),
    "newer": (newer, "newer imap-watcher"),
    "damaged": (damaged, "is damaged|can't be used"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_ledger_is_refused_and_kept(used: Path, how: str) -> None:
    spoil, words = SPOILED[how]
    path = used / "ledger.db"
    spoil(path)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(DatabaseRefused, match=words) as refused:
        open_and_close(used)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_ledger_of_another_state_directory_is_refused(used: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    open_and_close(other)
    shutil.copy(other / "ledger.db", used / "ledger.db")
    with pytest.raises(DatabaseRefused, match="does not belong"):
        open_and_close(used)


def test_two_daemons_on_one_state_are_refused(tmp_path: Path) -> None:
    with hold_state(tmp_path), pytest.raises(StateLocked, match="in use by process"), hold_state(tmp_path):
        pass
    with hold_state(tmp_path):
        pass


def test_commits_are_durable_and_one_failing_change_undoes_itself_alone(tmp_path: Path) -> None:
    database = Database(tmp_path)
    mode, level = (database.writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous"))
    assert (mode, level) == ("wal", 2)

    def refuse(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO meta VALUES ('half', 'done')")
        raise WatcherError("no")

    with pytest.raises(WatcherError, match="no"):
        database.write(refuse)
    database.write(lambda db: db.execute("INSERT INTO meta VALUES ('other', 'fine')"))
    names = {row["name"] for row in database.read("SELECT name FROM meta")}
    assert "other" in names
    assert "half" not in names
    database.close()


def test_many_threads_share_commits(tmp_path: Path) -> None:
    database = Database(tmp_path)
    commits = []
    database.writer.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
    hold = threading.Event()
    first = threading.Thread(target=lambda: database.write(lambda _: hold.wait(10)))
    first.start()
    rest = [
        threading.Thread(
            target=lambda n=n: database.write(lambda db: db.execute("INSERT INTO meta VALUES (?, '')", (f"n{n}",)))
        )
        for n in range(50)
    ]
    for thread in rest:
        thread.start()
    hold.set()
    for thread in (first, *rest):
        thread.join()
    assert len(database.read("SELECT name FROM meta WHERE name LIKE 'n%'")) == 50
    assert len(commits) < 25
    database.close()


def test_what_is_proposed_shares_the_commit_of_what_follows(tmp_path: Path) -> None:
    database = Database(tmp_path)
    commits = []
    database.writer.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)

    def refuse(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO meta VALUES ('half', 'done')")
        raise WatcherError("no")

    first = database.propose(lambda db: db.execute("INSERT INTO meta VALUES ('first', 'one')").rowcount)
    refused = database.propose(refuse)
    assert database.read("SELECT 1 FROM meta WHERE name = 'first'") == [], "nobody has asked for it"
    seen = database.write(lambda db: db.execute("SELECT name FROM meta WHERE name IN ('first', 'half')").fetchall())
    assert [row["name"] for row in seen] == ["first"], "the later one sees what the earlier ones have done"
    assert first.result() == 1
    with pytest.raises(WatcherError, match="no"):
        refused.result()
    assert commits == ["COMMIT"]
    database.close()


def test_a_failing_disk_is_fatal_for_all_that_follows(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with pytest.raises(StorageFailed, match="no such table"):
        database.write(lambda db: db.execute("INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(StorageFailed):
        database.write(lambda db: db.execute("INSERT INTO meta VALUES ('a', 'b')"))
    database.close()
    open_and_close(tmp_path)


def test_what_waited_when_the_disk_failed_fails_too(tmp_path: Path) -> None:
    database = Database(tmp_path)
    hold = threading.Event()
    first = database.submit(lambda db: hold.wait(10) and db.execute("INSERT INTO nowhere VALUES (1)"))
    rest = [
        database.submit(lambda db, n=n: db.execute("INSERT INTO meta VALUES (?, '')", (f"n{n}",))) for n in range(300)
    ]
    hold.set()
    for future in (first, *rest):
        with pytest.raises(StorageFailed):
            future.result(30)
    assert database.read("SELECT name FROM meta WHERE name LIKE 'n%'") == []
    database.close()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Database]:
    """One that may not grow, as on a full disk."""
    database = Database(tmp_path)
    limit(database, database.writer.execute("PRAGMA page_count").fetchone()[0])
    yield database
    database.close()


def limit(database: Database, pages: int) -> None:
    database.writer.execute(f"PRAGMA max_page_count = {pages}")


def grow(db: sqlite3.Connection) -> str:
    db.executemany("INSERT INTO meta VALUES (?, ?)", [(f"n{n}", "x" * 4000) for n in range(50)])
    return "grown"


def test_a_full_disk_lets_all_wait_and_is_told_once(
    full: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.store.database.AGAIN", 0.01)
    waiting = full.submit(grow)
    after = full.submit(lambda db: db.execute("SELECT count(*) FROM meta WHERE name LIKE 'n%'").fetchone()[0])
    with pytest.raises(TimeoutError):
        waiting.result(0.2)
    assert full.trouble == "the disk is full"
    limit(full, 10_000)
    assert (waiting.result(30), after.result(30)) == ("grown", 50)
    assert full.trouble == ""
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == ["ERROR", "WARNING"], told
    assert "the disk is full" in told[0][1]


def test_the_end_does_not_wait_for_room(full: Database) -> None:
    waiting = full.submit(grow)
    with pytest.raises(TimeoutError):
        waiting.result(0.05)
    full.close()
    with pytest.raises(StorageFailed, match="full"):
        waiting.result(0)
    open_and_close(full.path.parent)


def test_what_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "instance.new").symlink_to("/dev/full")
    with pytest.raises(SpoolFull, match=f"^{tmp_path}/instance: No space left on device$"):
        Database(tmp_path)
    (tmp_path / "instance.new").unlink()
    open_and_close(tmp_path)


def test_one_that_another_program_has_locked_is_left_alone(used: Path) -> None:
    path = used / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateLocked, match="locked by another program"):
            open_and_close(used)
    open_and_close(used)


def test_a_refused_one_keeps_its_log(used: Path) -> None:
    books = Books(used)
    books.database.write(lambda db: db.execute("PRAGMA user_version = 99"))
    killed = used.parent / "killed"
    shutil.copytree(used, killed)
    books.database.close()
    (killed / "ledger.db-shm").unlink()
    before = {path.name: path.read_bytes() for path in killed.iterdir()}
    with pytest.raises(DatabaseRefused, match="newer imap-watcher"):
        open_and_close(killed)
    after = {path.name: path.read_bytes() for path in killed.iterdir() if not path.name.endswith("-shm")}
    assert after == before
