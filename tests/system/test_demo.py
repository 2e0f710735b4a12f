"""`imap-watcher demo` as a user runs it: it shows three mails, ends by itself, and leaves nothing behind."""

import imaplib
import re
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import watcher
from tests.system.processes import using
from tests.system.waiting import until

pytestmark = pytest.mark.system
DEMO = [sys.executable, "-m", "watcher", "demo"]


@pytest.fixture
def tmp_path():
    """A directory whose name leaves room for that of a socket; pytest's own is half of what the kernel takes."""
    with TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.fixture
def surroundings(tmp_path):
    """An environment in which all temporary files go to a directory that the test can look at."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "LANG": "C.UTF-8"}


def nothing_is_left(tmp_path):
    return list(tmp_path.iterdir()) == [] and using(tmp_path) == {}


def test_three_mails_are_handled_and_shown(tmp_path, surroundings):
    done = subprocess.run(
        DEMO, check=False, env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    assert shown.count("marked as read") == 3 + 1
    for line in (
        "from      Ada Lovelace <ada@demo.example>",
        "发票 2026-11.pdf, application/pdf",
        "save-attachments: saved 1 file(s)",
        "summarize: 3 part(s)",
        "message/rfc822",
        "finds your provider, tests the login and writes a configuration",
    ):
        assert line in shown
    assert "\x1b" not in shown, "no colours where there is no terminal"
    assert nothing_is_left(tmp_path)


@pytest.fixture
def staying(tmp_path, surroundings):
    """A demo that stays."""
    with subprocess.Popen([*DEMO, "--stay"], env=surroundings, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as demo:
        yield demo
        demo.kill()


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_stays_until_it_is_told_to_end(tmp_path, staying, ending, code):
    lines = iter(staying.stdout.readline, "")
    found = re.search(
        r"--cacert (\S+) --user (\S+):(\S+) .* imaps://(\S+):(\d+)/", next(x for x in lines if "curl" in x)
    )
    send_by_imap(*found.groups())
    assert "my own" in next(line for line in lines if "subject" in line)
    staying.send_signal(ending)
    assert staying.wait(60) == code
    until(lambda: nothing_is_left(tmp_path), 60, "everything to be gone")


def send_by_imap(ca_file, user, password, host, port):
    context = ssl.create_default_context(cafile=ca_file)
    with imaplib.IMAP4_SSL(host, int(port), ssl_context=context, timeout=60) as link:
        link.login(user, password)
        link.append("INBOX", "", "", b"From: Me <me@example.org>\r\nSubject: my own\r\n\r\nhello\r\n")


def test_a_daemon_that_fails_is_shown_with_its_log(tmp_path, surroundings):
    broken = Path(shutil.copytree(Path(watcher.__file__).parent, tmp_path / "broken" / "watcher"))
    daemon = broken / "daemon.py"
    daemon.write_text(re.sub(r"(?m)^def run\(.*$", r"\g<0>\n    raise SystemExit('no such luck')", daemon.read_text()))
    here = {**surroundings, "PYTHONPATH": str(broken.parent)}
    done = subprocess.run(DEMO, check=False, env=here, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "The demo failed: the daemon ended by itself with exit code 1." in done.stdout
    assert "    no such luck" in done.stdout
    shutil.rmtree(broken.parent)
    assert nothing_is_left(tmp_path)


def test_without_its_extra_it_says_what_to_install(tmp_path, surroundings):
    without = "import sys; sys.modules['pymap'] = None; from watcher.cli import main; sys.argv[1:] = ['demo']; main()"
    command = [sys.executable, "-c", without]
    done = subprocess.run(
        command, check=False, env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "imap-watcher: the demo brings a mail server of its own: pip install 'imap-watcher[demo]'"
    ]
