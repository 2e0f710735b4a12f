"""What a handler leaves behind goes, whatever it made of it, and nothing else."""

import os
from pathlib import Path

import pytest

from watcher.store.removal import discard

DEPTH = 3000  #: deeper than Python calls itself, and with a longer path than the kernel takes


def nested(directory: Path, depth: int = DEPTH) -> None:
    """Directories within one another, each with a file beside the next."""
    here = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=here))
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_directories_of_any_depth(tmp_path):
    place = tmp_path / "left"
    place.mkdir()
    nested(place)
    discard(place)
    assert not place.exists()


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_what_is_closed_is_opened_first(tmp_path, mode):
    place = tmp_path / "left"
    (place / "a" / "b").mkdir(parents=True)
    (place / "a" / "b" / "file").touch(mode=0)
    for path in (place / "a" / "b", place / "a", place):
        path.chmod(mode)
    discard(place)
    assert not place.exists()


def test_links_lead_nowhere(tmp_path):
    kept = tmp_path / "kept"
    (kept / "d").mkdir(parents=True)
    place = tmp_path / "left"
    (place / "d").mkdir(parents=True)
    (place / "link").symlink_to(kept)
    (place / "d" / "link").symlink_to(kept)
    os.mkfifo(place / "d" / "pipe")
    discard(place)
    (tmp_path / "itself").symlink_to(kept)
    discard(tmp_path / "itself")
    discard(tmp_path / "nothing")
    assert [*tmp_path.iterdir()] == [kept]
    assert (kept / "d").is_dir()
