"""The state directory: one process, one user, nothing planted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from watcher.errors import StateLocked
from watcher.store.lock import DIRECTORIES, FILES, hold_state, objection

NOBODY = 65534
LOOK = """
import os, pathlib, sys
from watcher.store.lock import spoilt
os.setuid(int(sys.argv[1]))
print(spoilt(pathlib.Path(".")))
"""


def test_it_is_made_for_its_user_only(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    with hold_state(state):
        assert state.stat().st_mode & 0o777 == 0o700
        assert (state / "lock").stat().st_mode & 0o777 == 0o600
        assert (state / "lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_of_one_that_is_gone_is_taken(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("123456789\n")
    with hold_state(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "lock").symlink_to(kept)
    with pytest.raises(StateLocked, match="state/lock: Too many levels of symbolic links"), hold_state(state):
        pass
    assert kept.read_text() == "kept"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(StateLocked, match="can be written by others: chmod go-w /"), hold_state(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    assert objection(tmp_path.stat(), os.geteuid()) == ""
    assert "not to 12345: run this as that user, or chown -R 12345" in objection(tmp_path.stat(), 12345)


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    with pytest.raises(StateLocked, match="state: File exists; mend it"), hold_state(tmp_path / "state"):
        pass


@pytest.mark.parametrize("name", DIRECTORIES)
def test_what_is_no_directory_but_should_be_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(StateLocked, match=f"/{name} is no directory: move it away"), hold_state(tmp_path):
        pass


@pytest.mark.parametrize("name", [*DIRECTORIES, *FILES])
def test_what_root_has_left_in_it_is_told(tmp_path: Path, name: str) -> None:
    if name in FILES:
        (tmp_path / name).write_text("x")
    else:
        (tmp_path / name).mkdir()
    (tmp_path / name).chmod(0)
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path, user, -1)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, f"{user}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{name} can't be used by user {user}: chown -R {user} .\n"
