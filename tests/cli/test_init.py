"""`init` as a person works it: real processes, a terminal, a scripted server; and what is left when it is cut off."""

import os
import socket
import stat
import subprocess
import sys

import pytest

from tests.cli.page import same_as_read
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.imap_server import ImapServer
from tests.fakes.terminal import Terminal
from tests.system.dovecot import Dovecot
from watcher.cli.asking import chosen_folders
from watcher.cli.files import Placement
from watcher.cli.init.entry import with_server
from watcher.cli.init.text import Section, account_name
from watcher.config import load
from watcher.config.providers import profile_for
from watcher.config.providers.discovery import Answers, Exchanger, Service, decide
from watcher.errors import WatcherError

SECRET = "c4n4ry pass"


@pytest.fixture
def server():
    with ImapServer() as running:
        running.users = {"me@example.com": SECRET}
        running.folder("Orders")
        yield running


@pytest.fixture
def command(server, tmp_path):
    def made(*arguments, address="me@example.com"):
        there = ["--host", "127.0.0.1", "--port", str(server.port), "--ca-file", str(server.ca_file)]
        return [
            sys.executable, "-m", "watcher", "--config", str(tmp_path / "etc" / "config.toml"), "init", address,
            *there, *arguments,
        ]  # fmt: skip

    return made


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


def run(command, **changes):
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, **changes
    )
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def test_at_a_terminal(command, tmp_path, server):
    with Terminal(command()) as terminal:
        terminal.until("(is not shown): ")
        terminal.types("wrong\n")
        terminal.until("Once more; 2 tries are left.")
        terminal.until("(is not shown): ")
        terminal.types(SECRET + "\n")
        terminal.until("[INBOX]: ")
        terminal.types("Nowhere\n")
        terminal.until("there is no folder Nowhere")
        terminal.until("[INBOX]: ")
        terminal.types("1,Orders\n")
        assert terminal.ended() == 0
    assert b"wrong" not in terminal.shown.replace(b"wrong user or password", b"").replace(b"password is wrong", b"")
    assert SECRET.encode() not in terminal.shown, "what is typed is not echoed"
    etc = tmp_path / "etc"
    assert files(etc) == ["config.toml", "handlers", "handlers/hello", "me.password"]
    assert (mode(etc), mode(etc / "config.toml"), mode(etc / "me.password")) == (0o700, 0o600, 0o600)
    assert os.access(etc / "handlers" / "hello", os.X_OK)
    assert SECRET not in (etc / "config.toml").read_text()
    [account] = load(etc / "config.toml", strict=True).accounts
    assert account.folders == ("INBOX", "Orders")
    assert account.secret.fetch().reveal() == SECRET
    same_as_read(terminal.shown.decode().replace("\r\n", "\n"), "init-terminal")
    same_as_read((etc / "config.toml").read_text(), "init-config")


def test_without_a_terminal(command, tmp_path, secret):
    done = run(command("--password-file", str(secret), "--folder", "INBOX", "--folder", "Or*"))
    assert (done.returncode, done.stderr) == (0, "")
    same_as_read(done.stdout, "init-options")
    config = load(tmp_path / "etc" / "config.toml", strict=True)
    assert (config.accounts[0].folders, config.rules[0].run, config.warnings) == (("INBOX", "Or*"), ("hello",), ())


def test_the_configuration_is_one_that_doctor_likes(command, tmp_path, secret):
    assert run(command("--password-file", str(secret))).returncode == 0
    done = run([sys.executable, "-m", "watcher", "-c", str(tmp_path / "etc" / "config.toml"), "doctor"])
    assert "verdict   all well" in done.stdout


def test_what_is_missing_without_a_terminal(command, tmp_path):
    done = run(command())
    assert done.returncode == 1
    assert done.stderr == (
        "imap-watcher: nobody can be asked (the password of me@example.com), as this is not a terminal: "
        "give --password-command, --password-file or --password-env\n"
    )
    assert files(tmp_path) == []


def test_a_guessed_host_gets_no_password_unasked(tmp_path, secret):
    config = tmp_path / "etc" / "config.toml"
    done = run(
        [sys.executable, "-m", "watcher", "init", "me@nowhere.invalid", "--config", str(config), "--timeout", "2",
         "--password-file", str(secret)]
    )  # fmt: skip
    assert done.returncode == 1
    assert "The server: imap.nowhere.invalid:993 (a guess)" in done.stdout
    assert "Is imap.nowhere.invalid the server of me@nowhere.invalid?" in done.stderr
    assert not config.exists()


def test_a_host_that_a_person_does_not_know(tmp_path):
    command = [sys.executable, "-m", "watcher", "init", "me@nowhere.invalid", "--timeout", "2"]
    with Terminal(command, HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)) as terminal:
        terminal.until("The password goes there. [y/N]: ")
        terminal.types("n\n")
        assert terminal.ended() == 1
    assert b"name the server by --host" in terminal.shown
    assert b"is not shown" not in terminal.shown


@pytest.mark.parametrize("moment", ["(is not shown): ", "Watch which folders?"])
def test_interrupted_it_leaves_nothing_behind(command, tmp_path, moment):
    with Terminal(command()) as terminal:
        terminal.until("(is not shown): ")
        if moment.startswith("Watch"):
            terminal.types(SECRET + "\n")
            terminal.until(moment)
        assert terminal.interrupted() == 130
    assert b"Traceback" not in terminal.shown
    assert files(tmp_path) == []


def test_a_wrong_password_is_tried_three_times(command, tmp_path, server):
    with Terminal(command()) as terminal:
        for _ in range(3):
            terminal.until("(is not shown): ")
            terminal.types("wrong\n")
        assert terminal.ended() == 1
    assert server.logins == 3
    assert files(tmp_path) == []


def test_a_file_that_is_there_is_not_touched_unasked(command, tmp_path, secret):
    assert run(command("--password-file", str(secret))).returncode == 0
    config = tmp_path / "etc" / "config.toml"
    before = config.read_bytes()
    done = run(command("--password-file", str(secret)))
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert config.read_bytes() == before


def test_an_account_is_added_when_that_is_wanted(command, tmp_path, secret, server):
    server.users["other@example.com"] = SECRET
    assert run(command("--password-file", str(secret))).returncode == 0
    config = tmp_path / "etc" / "config.toml"
    before = config.read_text()
    done = run(command("--password-file", str(secret), "--yes", address="other@example.com"))
    assert (done.returncode, done.stderr) == (0, "")
    assert config.read_text().startswith(before)
    assert mode(config) == 0o600
    assert [account.name for account in load(config).accounts] == ["me", "other"]


def test_a_mailbox_is_not_added_twice(command, tmp_path, secret, server):
    assert run(command("--password-file", str(secret))).returncode == 0
    config = tmp_path / "etc" / "config.toml"
    before, logins = config.read_bytes(), server.logins
    done = run(command("--password-file", str(secret), "--yes", "--folder", "Orders"))
    assert done.returncode == 1
    assert "account me is me@example.com on 127.0.0.1 already" in done.stderr
    assert (config.read_bytes(), server.logins) == (before, logins)


def test_what_can_not_be_used_is_taken_back(command, tmp_path, secret, server):
    """The rule of the file that is there names a handler that is not."""
    assert run(command("--password-file", str(secret))).returncode == 0
    config = tmp_path / "etc" / "config.toml"
    (config.parent / "handlers" / "hello").unlink()
    before = config.read_bytes()
    server.users["other@example.com"] = SECRET
    done = run(command("--password-file", str(secret), "--yes", address="other@example.com"))
    assert done.returncode == 78
    assert "there is no handler hello" in done.stderr
    assert config.read_bytes() == before
    assert files(config.parent) == ["config.toml", "handlers"]


def test_files_are_put_in_place_together_or_not_at_all(tmp_path):
    old = tmp_path / "old"
    old.write_text("before")
    old.chmod(0o640)

    def place() -> None:
        with Placement() as placement:
            placement.create(tmp_path / "deep" / "new", "x")
            placement.replace(old, "after")
            assert (old.read_text(), mode(old)) == ("after", 0o640)
            placement.create(old, "over it")

    with pytest.raises(WatcherError, match="can't be made: File exists"):
        place()
    assert (files(tmp_path), old.read_text(), mode(old)) == (["old"], "before", 0o640)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "a b"), "imap-watcher: host: is not a host name;"),
        (("--password-env", "X", "--password-command", "y"), "imap-watcher: the password is in one place: give one of"),
        (("--tls", "none"), "imap-watcher: tls: "),
    ],
)
def test_what_is_given_wrongly(command, arguments, told):
    done = run(command(*arguments))
    assert done.returncode == 1
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


def test_no_address(command):
    done = run(command(address="nobody"))
    assert done.stderr == 'imap-watcher: address: is not a mail address; write it like "support@example.com"\n'


@pytest.fixture
def netease(tmp_path):
    """The scripted server behind the name that the profile has, and the command to set up its mailbox."""
    with ImapServer(names=("imap.163.com",)) as server, ConnectProxy((server.host, server.port)) as proxy:
        server.capabilities = "IMAP4rev1 AUTH=PLAIN ID UIDPLUS"
        server.users = {"me@163.com": SECRET}
        command = [sys.executable, "-m", "watcher", "init", "me@163.com", "--config", f"{tmp_path}/config.toml"]
        yield server, [*command, "--ca-file", str(server.ca_file), "--proxy", f"http://127.0.0.1:{proxy.port}"]


def test_netease(netease, tmp_path):
    """By its domain alone."""
    server, command = netease
    server.on("AUTHENTICATE", b"{tag} NO LOGIN Login error or password error\r\n")
    with Terminal(command) as terminal:
        terminal.until("(is not shown): ")
        terminal.types("the usual one\n")
        terminal.until("(is not shown): ")
        terminal.types(SECRET + "\n")
        terminal.until("[INBOX]: ")
        terminal.types("\n")
        assert terminal.ended() == 0
    assert b"the usual one" not in terminal.shown
    same_as_read(terminal.shown.decode().replace("\r\n", "\n"), "init-netease")
    [account] = load(tmp_path / "config.toml").accounts
    assert (account.host, account.port, account.folders) == ("imap.163.com", 993, ("INBOX",))


def test_a_port_that_refuses(tmp_path, secret):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "watcher", "init", "me@example.com", "--config", f"{tmp_path}/config.toml"]
        done = run([*command, "--host", "127.0.0.1", "--port", port, "--password-file", str(secret)])
    assert done.returncode == 1
    assert done.stderr == (
        f"imap-watcher: can't connect to 127.0.0.1:{port}: Connection refused: nothing listens there; "
        "see `host` and `port`, and whether the server runs\n"
    )
    assert files(tmp_path) == ["secret"]


def test_consent_at_a_terminal(tmp_path):
    """Outlook.com takes no passwords."""
    config = tmp_path / "etc" / "config.toml"
    with Terminal([sys.executable, "-m", "watcher", "init", "me@outlook.com", "--config", str(config)]) as terminal:
        terminal.until("Its client id: ")
        terminal.types("1234-abcd\n")
        terminal.until("just Enter if not): ")
        terminal.types("c4n4ry\n")
        assert terminal.ended() == 0
    assert b"c4n4ry" not in terminal.shown
    same_as_read(terminal.shown.decode().replace("\r\n", "\n"), "init-consent")
    same_as_read(config.read_text(), "init-consent-config")
    assert files(config.parent) == ["config.toml", "handlers", "handlers/hello", "microsoft.client"]
    assert mode(config.parent / "microsoft.client") == 0o600
    [account] = load(config, strict=True).accounts
    assert (account.host, account.oauth.client_id) == ("outlook.office365.com", "1234-abcd")
    assert account.oauth.client_secret.fetch().reveal() == "c4n4ry"
    assert account.token.account == "me", "`login me` is what is missing"


def test_consent_without_a_terminal(tmp_path):
    config = tmp_path / "config.toml"
    command = [sys.executable, "-m", "watcher", "init", "--config", str(config)]
    done = run([*command, "me@hotmail.com"])
    assert done.returncode == 1
    assert done.stderr.startswith(
        "imap-watcher: Microsoft wants to know which program asks for your mail: register an app"
    )
    assert done.stderr.endswith("; then give --client-id, and --client-secret-file if it has one\n")
    assert files(tmp_path) == []
    done = run([*command, "me@hotmail.com", "--password-env", "X"])
    assert done.stderr.endswith("takes no passwords: leave out the --password options\n")
    done = run([*command, "me@gmail.com", "--client-id", "1234"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.index(" login me ") < done.stdout.index(" doctor ")
    done = run([*command, "you@gmail.com", "--oauth", "--yes", "--folder", "A*"])
    assert (done.returncode, done.stderr) == (0, "")
    assert config.read_text().count("[oauth.google]") == 1, "the program is registered once for all accounts"
    mine, yours = load(config, strict=True).accounts
    assert (mine.oauth, yours.folders) == (yours.oauth, ("A*",))


def test_consent_where_nobody_is_known_to_give_out_tokens(tmp_path):
    command = [sys.executable, "-m", "watcher", "init", "--config", f"{tmp_path}/config.toml", "--oauth"]
    for address in ("me@yahoo.com", "me@163.com"):
        done = run([*command, address])
        assert done.returncode == 1
        assert "imap-watcher: nothing is known here of who gives out tokens" in done.stderr


def test_a_dead_host_is_told_before_a_password_is_typed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-m", "watcher", "init", "me@example.com", "--config", f"{tmp_path}/config.toml"]
        there = ["--host", "127.0.0.1", "--port", str(silent.getsockname()[1]), "--timeout", "0.5"]
        with Terminal([*command, *there]) as terminal:
            assert terminal.ended() == 1
    same_as_read(terminal.shown.decode().replace("\r\n", "\n"), "init-dead")
    assert files(tmp_path) == []


@pytest.mark.system
def test_dovecot(tmp_path, secret):
    with Dovecot(users=("alice",)) as server:
        server.create("alice", "Orders")
        secret.write_text(server.password + "\n")
        command = [sys.executable, "-m", "watcher", "init", "alice@test.example", "--config", f"{tmp_path}/config.toml"]
        there = ["--host", "127.0.0.1", "--port", str(server.starttls_port), "--tls", "starttls", "--user", "alice"]
        more = ["--ca-file", str(server.ca_file), "--folder", "*", "--password-command", f"cat {secret}"]
        done = run([*command, *there, *more])
        assert (done.returncode, done.stderr) == (0, "")
        done = run([sys.executable, "-m", "watcher", "--config", f"{tmp_path}/config.toml", "doctor"])
    assert "* stands for INBOX, Orders" in done.stdout
    assert "verdict   all well" in done.stdout


def test_what_dns_found_stands_in_the_file():
    given = Section("me", "me@firm.example", "", ())
    hosted = decide("firm.example", Answers(exchangers=[Exchanger(1, "aspmx.l.google.com.")]))
    named = decide("firm.example", Answers(imap=[Service(0, 0, 10143, "mail.firm.example.")]))
    usual = decide("firm.example", Answers(imaps=[Service(0, 0, 993, "mail.firm.example.")]))
    found = [with_server(given, profile) for profile in (hosted, named, usual, profile_for("me@gmail.com"))]
    assert [(section.host, section.port, section.tls) for section in found] == [
        ("imap.gmail.com", 0, ""),
        ("mail.firm.example", 10143, "starttls"),
        ("mail.firm.example", 0, ""),
        ("", 0, ""),
    ]


def test_names_of_accounts():
    assert account_name("support@example.com", []) == "support"
    assert account_name("support@example.com", ["support", "support-2"]) == "support-3"
    assert account_name("a.b+c@example.com", []) == "a-b-c"
    assert account_name("客服@example.com", []) == "mail"


def test_folders_by_number_and_name():
    there = ["Archive", "INBOX", "Sent"]
    assert chosen_folders("1, inbox, Sen*,1", there) == ["Archive", "INBOX", "Sen*"]
    for wrong in ("4", "", "Trash"):
        with pytest.raises(ValueError, match="folder"):
            chosen_folders(wrong, there)
