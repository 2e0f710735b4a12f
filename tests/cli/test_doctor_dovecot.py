"""`doctor` against a real server: the whole circle."""

import subprocess
import sys

import pytest

from tests.cli.page import same_as_read
from tests.system.daemon_home import Watched, write_configuration
from tests.system.dovecot import Dovecot

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def dovecot():
    with Dovecot(users=("alice",)) as server:
        yield server


def doctor(home, server, *arguments, **watched):
    write_configuration(home, server, [Watched("alice", **watched)], {"x": "#!/bin/sh\n"}, "")
    command = [sys.executable, "-m", "watcher", "--config", f"{home}/config.toml", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_all_well(dovecot, tmp_path):
    done = doctor(tmp_path, dovecot)
    assert (done.returncode, done.stderr) == (0, "")
    same_as_read(done.stdout, "doctor-dovecot")
    assert "imap-watcher-test" not in dovecot.doveadm("mailbox", "list", "-u", "alice")


def test_a_folder_that_is_missing(dovecot, tmp_path):
    dovecot.create("alice", "Orders")
    done = doctor(tmp_path, dovecot, "--no-write", folders=("Orders", "Missing", "O*"))
    assert done.returncode == 1
    same_as_read(done.stdout, "doctor-dovecot-folder")


def test_a_wrong_password(dovecot, tmp_path):
    (tmp_path / "wrong").touch(mode=0o600)
    (tmp_path / "wrong").write_text("c4n4ry")
    write_configuration(tmp_path, dovecot, [Watched("alice")], {"x": "#!/bin/sh\n"}, "")
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace(f"{tmp_path}/password", f"{tmp_path}/wrong"))
    command = [sys.executable, "-m", "watcher", "--config", str(config), "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "c4n4ry" not in done.stdout + done.stderr
    same_as_read(done.stdout, "doctor-dovecot-password")
