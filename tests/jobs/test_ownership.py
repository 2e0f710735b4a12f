"""Who may have written a handler: a matrix of owners, modes and links, and real files."""

import os
import stat

import pytest

from watcher.jobs.ownership import Entry, objection, trail

ROOT, US, OTHER = 0, 1000, 1001
DIRECTORY, FILE, LINK = stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK

BASE = [Entry("/", DIRECTORY | 0o755, ROOT), Entry("/h", DIRECTORY | 0o755, US)]


def way(*more):
    return [*BASE, *(Entry(f"/h/{number}", mode, owner) for number, (mode, owner) in enumerate(more))]


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (way((FILE | 0o755, US)), None),
        (way((FILE | 0o755, ROOT)), None),
        (way((FILE | 0o500, US)), None),
        (way((DIRECTORY | 0o700, US), (FILE | 0o755, US)), None),
        (way((LINK | 0o777, US), (FILE | 0o755, ROOT)), None),
        (way((FILE | 0o775, US)), "can be written by others: chmod go-w /h/0"),
        (way((FILE | 0o757, US)), "can be written by others"),
        (way((FILE | 0o722, ROOT)), "can be written by others"),
        (way((FILE | 0o755, OTHER)), "belongs to user 1001"),
        (way((FILE | 0o6755, OTHER)), "belongs to user 1001"),
        (way((DIRECTORY | 0o775, US), (FILE | 0o755, US)), "/h/0 can be written by others"),
        (way((DIRECTORY | 0o777, ROOT), (FILE | 0o755, US)), "/h/0 can be written by others"),
        (way((DIRECTORY | 0o755, OTHER), (FILE | 0o755, US)), "/h/0 belongs to user 1001"),
        (way((LINK | 0o777, OTHER), (FILE | 0o755, US)), "/h/0 belongs to user 1001"),
        # A directory like /tmp keeps others from what its owner has put there, not from putting more.
        (way((DIRECTORY | 0o1777, ROOT), (DIRECTORY | 0o700, US), (FILE | 0o755, US)), None),
        (way((DIRECTORY | 0o1777, ROOT), (FILE | 0o755, US)), "lies in /h/0, where anyone may write"),
        (way((DIRECTORY | 0o1777, ROOT), (LINK | 0o777, US), (FILE | 0o755, US)), "lies in /h/0"),
        (way((DIRECTORY | 0o1777, ROOT), (DIRECTORY | 0o777, US), (FILE | 0o755, US)), "/h/1 can be written"),
        (way((DIRECTORY | 0o1777, ROOT), (DIRECTORY | 0o755, OTHER), (FILE | 0o755, US)), "/h/1 belongs to"),
        (way((DIRECTORY | 0o1777, OTHER), (DIRECTORY | 0o700, US), (FILE | 0o755, US)), "/h/0 belongs to"),
        (way((DIRECTORY | 0o755, US)), "/h/0 is not a regular file"),
        (way((stat.S_IFIFO | 0o700, US)), "/h/0 is not a regular file"),
        (way((stat.S_IFSOCK | 0o700, US)), "/h/0 is not a regular file"),
        ([], "is not a regular file"),
    ],
)
def test_matrix(entries, reason):
    found = objection(entries, US)
    assert found is None if reason is None else reason in found


def test_the_trail_passes_every_directory_and_link(tmp_path):
    real = tmp_path / "real"
    (real / "deep").mkdir(parents=True)
    (real / "deep" / "tool").write_text("")
    (tmp_path / "handlers").mkdir()
    (tmp_path / "hop").symlink_to(real / "deep")
    (tmp_path / "handlers" / "book").symlink_to("../hop/../deep/./tool")
    names = [entry.path for entry in trail(tmp_path / "handlers" / "book")]
    root = str(tmp_path)
    assert names[0] == "/"
    assert names.index(f"{root}/handlers") < names.index(f"{root}/handlers/book") < names.index(f"{root}/hop")
    assert names.index(f"{root}/hop") < names.index(f"{root}/real/deep") < len(names) - 1
    assert names[-1] == f"{root}/real/deep/tool"


def test_a_way_that_does_not_end(tmp_path):
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match="too many symbolic links"):
        list(trail(tmp_path / "round"))
    (tmp_path / "nowhere").symlink_to("missing")
    with pytest.raises(FileNotFoundError):
        list(trail(tmp_path / "nowhere"))


def test_real_files(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "book"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    assert objection(trail(path), os.geteuid()) is None
    path.chmod(0o777)
    assert "chmod go-w" in objection(trail(path), os.geteuid())
