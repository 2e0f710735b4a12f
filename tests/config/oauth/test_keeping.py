"""The file of tokens: whose it is, what of it survives, and when there is no room for it."""

import multiprocessing
import os
import resource
import stat
import threading

import pytest

from tests.config.oauth.conftest import save
from watcher.config.oauth.grant import Grant
from watcher.config.oauth.keeping import ROOM, TokenFile
from watcher.config.secret import Secret
from watcher.errors import SecretUnavailable, StorageFailed

GRANT = Grant(client_id="id", access=Secret("a"), issued=1.5, expires=2.5, refresh=Secret("b"), previous=Secret("c"))


@pytest.fixture
def file(tmp_path):
    return TokenFile.of(tmp_path / "state", "support")


def write(file, grant=GRANT):
    with file.locked(), file.draft() as saved:
        saved(grant)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_read(file):
    assert file.read() is None
    write(file)
    assert file.read() == GRANT
    assert file.path.stat().st_size < 500


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_may_look(file, umask):
    before = os.umask(umask)
    try:
        write(file)
    finally:
        os.umask(before)
    assert (mode(file.path), mode(file.path.with_suffix(".lock"))) == (0o600, 0o600)
    assert (mode(file.path.parent), mode(file.path.parent.parent)) == (0o700, 0o700)


def test_a_directory_left_open_is_closed(file):
    file.path.parent.mkdir(parents=True)
    file.path.parent.chmod(0o755)
    write(file)
    assert mode(file.path.parent) == 0o700


@pytest.mark.parametrize("name", ["a", "ä b", "发" * 100, "x" * 100, "a.new", "-c"])
def test_any_name_of_an_account_has_a_file_of_its_own(tmp_path, name):
    file = TokenFile.of(tmp_path, name)
    write(file)
    assert file.read() == GRANT
    assert file.path.parent == tmp_path / "tokens"
    assert file.path != TokenFile.of(tmp_path, name[:-1] + "y").path


def test_a_draft_that_was_not_saved_leaves_nothing(file):
    write(file)
    with pytest.raises(RuntimeError), file.locked(), file.draft():
        raise RuntimeError
    assert file.read() == GRANT
    assert {path.name for path in file.path.parent.iterdir()} == {"support.json", "support.lock"}


def test_a_draft_left_by_a_kill_does_no_harm(file):
    write(file)
    file.path.with_suffix(".new").write_bytes(b"x" * 2 * ROOM)
    file.path.with_suffix(".new").chmod(0o644)
    write(file)
    assert file.read() == GRANT


def test_a_full_disk_is_noticed_before_anything_is_asked(file):
    """A limit on the size of files stands for it."""
    write(file)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM - 1, before[1]))
    try:
        with pytest.raises(SecretUnavailable, match="can't be written: "), file.locked(), file.draft():
            pytest.fail("there was no room, and yet it went on")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert file.read() == GRANT


def test_the_disk_fails_while_saving(file):
    write(file)
    with file.locked(), file.draft() as saved:
        file.path.unlink()
        file.path.mkdir()  # nothing can be renamed over it
        with pytest.raises(StorageFailed, match=r"support\.json can't be written: "):
            saved(GRANT)


def test_what_root_writes_belongs_to_the_owner_of_the_state(file):
    state = file.path.parent.parent
    state.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(state, 1234, 2345)
    owner = state.stat()
    write(file)
    for path in (file.path, file.path.parent, file.path.with_suffix(".lock")):
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid)


def hold(path, held, go):
    with TokenFile(path).locked():
        held.set()
        go.wait(20)


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_one_writer_at_a_time(file, kind):
    context = multiprocessing.get_context("spawn") if kind == "process" else None
    event = context.Event if context else threading.Event
    held, go, got = event(), event(), threading.Event()
    start = context.Process if context else threading.Thread
    holder = start(target=hold, args=(file.path, held, go))
    holder.start()
    assert held.wait(20)

    def want():
        with file.locked():
            got.set()

    other = threading.Thread(target=want)
    other.start()
    assert not got.wait(0.1)
    go.set()
    assert got.wait(20)
    other.join(20)
    holder.join(20)


def test_the_lock_ends_with_its_holder(file):
    context = multiprocessing.get_context("spawn")
    held, go = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(file.path, held, go))
    holder.start()
    assert held.wait(20)
    holder.kill()
    holder.join(20)
    save(file, "x")
    assert file.read()


def test_no_secret_is_shown(file):
    write(file)
    assert "Secret" not in repr(file.read())
    assert "***" in repr(file.read())
