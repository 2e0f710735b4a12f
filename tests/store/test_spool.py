"""The spool: bytes that are durable, and rubbish that is swept."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.errors import StorageFailed
from watcher.model import identity
from watcher.store.spool import HEADER_LIMIT, Spool

MAILS = 20
RAW = b"Subject: hello\r\nMessage-ID: <1@example.com>\r\n\r\nbody\r\n\r\nmore"


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A state directory of one whom permissions bind, as they don't bind root; the test runs as that one."""
    with tempfile.TemporaryDirectory() as name:
        me = os.geteuid()
        if me == 0:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        yield Path(name)
        os.seteuid(me)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_a_draft_is_written_and_digested_in_pieces(tmp_path: Path, piece: int) -> None:
    draft = Spool(tmp_path).draft("k")
    for start in range(0, len(RAW), piece):
        draft.write(RAW[start : start + piece])
    draft.finish()
    assert draft.folder.raw.read_bytes() == RAW
    assert draft.size == len(RAW)
    assert draft.whole.hexdigest() == hashlib.sha256(RAW).hexdigest()
    assert draft.body.hexdigest() == hashlib.sha256(b"body\r\n\r\nmore").hexdigest()


def test_a_header_without_end_is_not_gathered_for_ever(tmp_path: Path) -> None:
    draft = Spool(tmp_path).draft("k")
    for _ in range(3):
        draft.write(b"x" * HEADER_LIMIT)
    draft.finish()
    assert draft.head is None


def test_what_the_ledger_does_not_know_is_swept_even_if_it_is_read_only(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    known, stray = identity(1), identity(2)
    for key in (known, stray):
        draft = spool.draft(key)
        draft.write(RAW)
        draft.finish()
        folder = draft.folder
        folder.attachments.mkdir()
        (folder.attachments / "a").write_bytes(b"")
        folder.attachments.chmod(0o500)
        folder.path.chmod(0o500)
    assert spool.sweep({known}) == 1
    assert [path.name for path in spool.path.iterdir()] == [known]


def test_only_what_is_named_as_a_mail_is_swept_and_nothing_outside_it(
    nobodys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The directory may have been somebody's before it was ours: state = "/var", or a link to where there is room."""
    kept = nobodys / "kept"
    kept.mkdir(mode=0o750)
    (kept / "mail").mkdir()
    (nobodys / "spool").symlink_to(kept)
    spool = Spool(nobodys)
    (spool.path / ".DS_Store").write_bytes(b"x")
    link, dangling, deep, file = (spool.path / identity(number) for number in range(4))
    link.symlink_to(kept)
    dangling.symlink_to(nobodys / "none")
    file.write_bytes(b"x")
    locked = deep / "unzipped" / "deep"
    locked.mkdir(parents=True)
    (locked / "file").write_bytes(b"x")
    (deep / "kept").symlink_to(kept)
    for path in (locked, locked.parent, locked.parent.parent):
        path.chmod(0o500)
    with caplog.at_level(logging.WARNING):
        assert spool.sweep(set()) == 4
    assert sorted(path.name for path in spool.path.iterdir()) == [".DS_Store", "mail"]
    assert "2 entries are no mail of ours and are left alone, like '.DS_Store'" in caplog.text
    assert kept.stat().st_mode & 0o777 == 0o750


def test_what_can_not_be_removed_is_told_and_the_rest_goes(nobodys: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(nobodys)
    spool.draft("k").finish()
    spool.path.chmod(0o500)
    with caplog.at_level(logging.WARNING):
        spool.remove(["k", "never there"])
    assert "can't remove" in caplog.text
    spool.path.chmod(0o700)
    spool.remove(["k"])
    assert not list(spool.path.iterdir())


def test_a_fetch_that_begins_again_finds_no_leftover_in_its_way(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    cut_short = spool.draft("k")
    cut_short.write(b"half")
    cut_short.file.close()
    draft = spool.draft("k")
    draft.write(RAW)
    draft.finish()
    assert draft.folder.raw.read_bytes() == RAW


def test_a_failing_disk_is_told_as_such(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.path.rmdir()
    with pytest.raises(StorageFailed, match="No such file"):
        spool.draft("k")


@pytest.mark.parametrize("missing", [0, 1, MAILS - 1])
def test_each_of_many_mails_must_be_there_to_be_made_durable(tmp_path: Path, missing: int) -> None:
    spool = Spool(tmp_path)
    keys = [f"k{number}" for number in range(MAILS)]
    for key in keys:
        draft = spool.draft(key)
        draft.write(RAW)
        draft.finish()
    spool.settle(keys)
    spool.folder(keys[missing]).raw.unlink()
    with pytest.raises(StorageFailed):
        spool.settle(keys)
    spool.close()
