"""`login` as a person sees it: a real process, a browser of sorts, a terminal."""

import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from tests.fakes.oauth_server import CLIENT_SECRET, OAuthServer, error
from watcher.config import load

BROWSER = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
print(urllib.request.urlopen(sys.argv[2], context=context, timeout=10).read().decode())
"""


@pytest.fixture
def server():
    with OAuthServer() as running:
        yield running


@pytest.fixture
def config(server, tmp_path):
    (tmp_path / "secret").write_text(CLIENT_SECRET)
    (tmp_path / "secret").chmod(0o600)
    path = tmp_path / "config.toml"
    path.write_text(f"""
        [account.support]
        address = "support@example.com"
        oauth = "own"
        [account.old]
        address = "old@example.com"
        password = {{ env = "X" }}
        [account.token]
        address = "token@example.com"
        token = {{ env = "X" }}
        [oauth.own]
        client_id = "watcher-id"
        client_secret = {{ file = "secret" }}
        auth_uri = "{server.base}/authorize"
        token_uri = "{server.base}/token"
        device_uri = "{server.base}/device"
        scope = "imap offline_access"
        ca_file = "{server.ca_file}"
        [watcher]
        state = "state"
    """)
    path.chmod(0o600)
    return path


@pytest.fixture
def begin(config):
    """Starts `login`; what is left of it in the end is killed."""
    begun = []

    def start(*arguments, **changes):
        begun.append(started(config, *arguments, **changes))
        return begun[-1]

    yield start
    for process in begun:
        with process:
            process.kill()


def started(config, *arguments, **changes):
    environment = {
        key: value for key, value in os.environ.items() if key not in {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}
    }
    command = [sys.executable, "-m", "watcher", "--config", str(config), "login", *arguments]
    pipe = subprocess.PIPE
    given = {"stdout": pipe, "stderr": pipe, "stdin": subprocess.DEVNULL, "text": True, **changes}
    return subprocess.Popen(command, env=environment | given.pop("env", {}), **given)


def token_of(config):
    return load(config).accounts[0].token


def test_in_a_browser_that_is_opened(server, config, begin, tmp_path):
    script = tmp_path / "browser.py"
    script.write_text(BROWSER)
    browser = f"{sys.executable} {script} {server.ca_file} %s"
    out, err = begin("support", env={"BROWSER": browser}).communicate(timeout=30)
    assert err == ""
    assert out.startswith("To let imap-watcher use support@example.com, open this page in a browser on this machine")
    assert f"{server.base}/authorize?client_id=watcher-id&" in out
    assert "Thank you. You can close this window." in out
    path = config.parent / "state" / "tokens" / "support.json"
    assert out.endswith(f"Done. The tokens of account support are in {path}; they are kept fresh from now on.\n")
    assert token_of(config).fetch().reveal() == server.issued[0]
    assert "c4n4ry" not in out


def test_in_a_browser_that_somebody_opens_by_hand(server, begin):
    process = begin("support", "--port", "0")
    page = next(line.strip() for line in process.stdout if line.startswith(server.base))
    subprocess.run([sys.executable, "-c", BROWSER, server.ca_file, page], check=True, capture_output=True, timeout=30)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "Done." in out


def grant(server):
    deadline = threading.Event()
    for _ in range(1000):
        for device in list(server.devices.values()):
            device.state = "granted"
            return
        deadline.wait(0.02)
    pytest.fail("nobody asked for a code")


def test_by_a_code(server, config, begin):
    process = begin("support", "--device")
    grant(server)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    lines = [line for line in out.splitlines() if line]
    assert lines[0] == (
        f"To let imap-watcher use support@example.com, open {server.base}/enter in any browser and enter the code"
    )
    assert re.fullmatch(r"    ABCD-.{4}", lines[1])
    assert lines[2] == "Waiting, 10 minutes at most ..."
    assert lines[3].startswith("Done.")
    assert "c4n4ry" not in out
    assert token_of(config).fetch().reveal() == server.issued[0]


def test_on_a_terminal_the_time_left_is_shown(server, begin):
    server.interval = 1.2
    ours, theirs = pty.openpty()
    process = begin("support", "--device", stdout=theirs, env={"TERM": "xterm", "COLUMNS": "200"})
    os.close(theirs)
    seen = b""
    while b"9:59 left" not in seen:
        seen += os.read(ours, 1000)
    grant(server)
    while b"from now on.\r\n" not in seen:  # the kernel hands a line out before its end is written
        seen += os.read(ours, 1000)
    os.close(ours)
    assert process.communicate(timeout=30)[1] == ""
    assert b"Waiting, 10:00 left" in seen


def refused(begin, *arguments):
    process = begin(*arguments)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "c4n4ry" not in out + err
    return err


def test_what_can_not_be_done_is_told_in_one_line(server, config, begin):
    known = "known here: support, old, token"
    assert refused(begin, "x") == f"imap-watcher: there is no account x in {config}; {known}\n"
    assert (
        refused(begin, "old")
        == "imap-watcher: account old logs in with a password; `login` is for those with `oauth`\n"
    )
    assert "account token logs in with a token from elsewhere;" in refused(begin, "token")
    server.on("ask", error("invalid_client", "c4n4ry-client is wrong"))
    assert refused(begin, "support", "--device") == "imap-watcher: 127.0.0.1: invalid_client: *** is wrong\n"
    server.on("device", error("access_denied"))
    assert refused(begin, "support", "--device") == "imap-watcher: 127.0.0.1: it was denied in the browser\n"
    assert not (config.parent / "state").exists()


def test_a_second_login_replaces_the_first(server, config, begin):
    for number in range(2):
        process = begin("support", "--device")
        grant(server)
        assert process.wait(30) == 0
        process.communicate()
        assert token_of(config).fetch().reveal() == server.issued[number]


def test_interrupted(begin):
    process = begin("support", "--device")
    for line in process.stdout:
        if line.startswith("Waiting"):
            break
    process.send_signal(2)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in out + err
