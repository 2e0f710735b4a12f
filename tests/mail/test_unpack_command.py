"""`imap-watcher unpack`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mail.mails import lines, multipart, part

PROGRAM = "import typer; from watcher.cli.unpack import unpack; typer.run(unpack)"


def unpack(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def mail(tmp_path) -> Path:
    path = tmp_path / "mail.eml"
    path.write_bytes(
        lines("Subject: x") + multipart(part("text", "Content-Type: text/plain"), part("y", "Content-Type: a/b"))
    )
    return path


def test_mails_become_folders(tmp_path, mail):
    other = tmp_path / "sub" / "other.txt"
    other.parent.mkdir()
    other.write_bytes(lines("Subject: y", "", "text"))
    done = unpack("--to", tmp_path / "out", mail, other)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mail", "other"]
    folder = tmp_path / "out" / "mail"
    assert (folder / "message.eml").read_bytes() == mail.read_bytes()
    assert json.loads((folder / "message.json").read_text())["subject"] == "x"
    assert (folder / "body.txt").read_text() == "text"
    assert (folder / "attachments" / "part-1.bin").read_text() == "y"


def test_doing_it_again_replaces_it(tmp_path, mail):
    unpack("--to", tmp_path / "out", mail)
    mail.write_bytes(lines("Subject: new", "", "text"))
    assert unpack("--to", tmp_path / "out", mail).returncode == 0
    assert json.loads((tmp_path / "out/mail/message.json").read_text())["subject"] == "new"
    assert not (tmp_path / "out/mail/attachments").exists()


def test_a_mail_that_fails_gets_a_line_and_the_others_go_on(tmp_path, mail):
    done = unpack("--to", tmp_path / "out", tmp_path / "none\x1b.eml", mail)
    assert done.returncode == 1
    assert done.stderr == f"imap-watcher: {tmp_path}/none\\x1b.eml: No such file or directory\n"
    assert (tmp_path / "out/mail/message.json").exists()
    assert not (tmp_path / "out/none\x1b").exists()


@pytest.mark.parametrize("inside", ["attachments/thesis.txt", "message.eml", ".keep"])
def test_a_directory_that_is_no_mail_folder_is_left_alone(tmp_path, mail, inside):
    theirs = tmp_path / "mail" / inside
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    done = unpack("--to", tmp_path, mail)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"imap-watcher: {tmp_path}/mail: holds no message.json, so it may be anything, and is left as it is\n"
    )
    assert list(theirs.parent.iterdir()) == [theirs]
    assert theirs.read_text() == "years of work"


def test_a_failure_leaves_nothing_behind(tmp_path, mail):
    mail.write_bytes(lines("Subject: x", "", "x" * 100_000))
    command = ["prlimit", "--fsize=50000", sys.executable, "-B", "-c", PROGRAM, "--to", tmp_path / "out", mail]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, f"imap-watcher: {tmp_path}/out/mail: File too large\n")
    assert not (tmp_path / "out" / "mail").exists()


def test_what_is_no_file_is_refused(tmp_path, mail):
    pipe = tmp_path / "pipe.eml"
    os.mkfifo(pipe)
    done = unpack("--to", tmp_path / "out", pipe, tmp_path, mail)
    assert done.returncode == 1
    assert done.stderr == "".join(f"imap-watcher: {path}: is not a regular file\n" for path in (pipe, tmp_path))
    assert (tmp_path / "out/mail/message.json").exists()


def test_a_target_that_can_not_be_made_is_blamed_itself(tmp_path, mail):
    done = unpack("--to", "/proc/nowhere", mail)
    assert done.returncode == 1
    assert done.stderr.startswith("imap-watcher: /proc/nowhere")


def test_a_link_in_the_place_of_the_copy_is_replaced(tmp_path, mail):
    kept = tmp_path / "kept"
    kept.write_text("kept")
    unpack("--to", tmp_path / "out", mail)
    (tmp_path / "out/mail/message.eml").unlink()
    (tmp_path / "out/mail/message.eml").symlink_to(kept)
    assert unpack("--to", tmp_path / "out", mail).returncode == 0
    assert kept.read_text() == "kept"


def test_no_name_leads_out_of_the_directory(tmp_path, mail):
    odd = mail.rename(tmp_path / "...eml")
    assert unpack("--to", tmp_path / "out", odd).returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["...eml"]


def test_many_mails_on_a_terminal_show_how_far_they_are(tmp_path):
    mails = [tmp_path / f"{number}.eml" for number in range(12)]
    for path in mails:
        path.write_bytes(lines("Subject: x", "", "text"))
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", PROGRAM, "--to", tmp_path / "out", *mails]
    assert subprocess.run(command, check=False, stderr=theirs, timeout=120).returncode == 0
    assert b"100%" in os.read(ours, 100_000)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("arguments", [[], ["--to", "out"], ["x.eml"], ["--to", "out", "a/x.eml", "b/x.eml"]])
def test_wrong_use(arguments):
    done = unpack(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
