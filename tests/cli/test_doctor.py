"""`doctor` as a person sees it: real processes; a scripted server, hosts that are dead, pages that were read."""

import json
import signal
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.page import same_as_read
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.deflate import compressing
from tests.fakes.imap_server import ImapServer, authority
from watcher.cli.doctor.findings import Finding, Mark, of_clock, of_features, of_transport, verdict
from watcher.cli.doctor.testmail import ahead
from watcher.config.providers import profile_for
from watcher.imap.chain import Certificate, Transport

NETEASE = "IMAP4rev1 AUTH=PLAIN ID UIDPLUS"


@pytest.fixture
def write(tmp_path):
    def config(*lines, address="me@example.com", user="me", password="secret", more=""):
        (tmp_path / "password").write_text(password)
        (tmp_path / "password").chmod(0o600)
        path = tmp_path / "config.toml"
        account = [
            "[account.support]",
            f'address = "{address}"',
            f'user = "{user}"',
            'password = { file = "password" }',
            *lines,
        ]
        path.write_text("\n".join([*account, more, '[watcher]\nstate = "state"\n']))
        path.chmod(0o600)
        return path

    return config


@pytest.fixture
def server():
    with ImapServer() as running:
        yield running


def at(server):
    return (f'host = "{server.host}"', f"port = {server.port}", f'ca_file = "{server.ca_file}"')


def doctor(config, *arguments):
    command = [sys.executable, "-m", "watcher", "--config", str(config), "doctor", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stdout + done.stderr
    return done


def test_all_well(server, write):
    server.capabilities += " NOTIFY CONDSTORE COMPRESS=DEFLATE"
    done = doctor(write(*at(server)))
    assert (done.returncode, done.stderr) == (0, "")
    same_as_read(done.stdout, "doctor-well")
    assert "imap-watcher-test" not in server.folders, "the test folder is gone again"
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("offered", [True, False])
def test_compression_where_it_is_wanted(server, write, offered):
    server.capabilities += " COMPRESS=DEFLATE" if offered else ""
    server.on("COMPRESS", compressing())
    done = doctor(write(*at(server), "compress = true"))
    assert done.returncode == 0
    assert ("both sides compress what they say" if offered else "the server does not want to") in done.stdout
    assert "the push came" in done.stdout
    assert server.count("COMPRESS") == int(offered)


def test_no_write_changes_nothing(server, write):
    done = doctor(write(*at(server)), "--no-write")
    assert done.returncode == 0
    assert not {"CREATE", "APPEND", "DELETE", "SELECT", "UID STORE", "IDLE"} & set(server.commands)
    assert server.logins == 1


def test_a_test_folder_that_was_there_loses_only_our_mail(server, write):
    server.folder("mine")
    first = server.deliver(b"Subject: keep me\r\n\r\n", folder="mine")
    done = doctor(write(*at(server)), "--folder", "mine")
    assert done.returncode == 0
    assert "mine was there before and stays, without our mail" in done.stdout
    assert [mail.uid for mail in server.folder("mine").mails] == [first]


def test_a_test_folder_that_may_not_be_made(server, write):
    server.on("CREATE", b"{tag} NO [CANNOT] Invalid mailbox name: prefix is INBOX.\r\n")
    done = doctor(write(*at(server)))
    assert done.returncode == 0
    assert "name another test folder with --folder" in done.stdout
    assert "works; look at append" in done.stdout


def test_idle_that_never_pushes(server, write):
    async def deaf(session, command):
        session.send("+ idling\r\n")
        await session.line()
        session.ok(command)

    server.on("IDLE", deaf)
    done = doctor(write(*at(server)), "--timeout", "1")
    assert done.returncode == 1
    assert "no push within 1 s, though the server offers IDLE" in done.stdout
    assert "imap-watcher-test" not in server.folders


def test_interrupted_it_takes_its_folder_away(server, write):
    async def deaf(session, command):
        session.send("+ idling\r\n")
        await session.line()
        session.ok(command)

    server.on("IDLE", deaf)
    command = [sys.executable, "-m", "watcher", "--config", str(write(*at(server))), "doctor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not process.stdout.readline().startswith("  append"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "imap-watcher-test" not in server.folders


@pytest.fixture
def netease():
    """The scripted server behind the name that the profile has."""
    with ImapServer(names=("imap.163.com",)) as server, ConnectProxy((server.host, server.port)) as proxy:
        server.capabilities = NETEASE
        server.users = {"me@163.com": "secret"}
        server.hide_uidnext = True
        server.greeting = b"* OK Coremail System IMap Server Ready(163com)\r\n"
        yield server, proxy


def through(server, proxy):
    return (f'proxy = "http://127.0.0.1:{proxy.port}"', f'ca_file = "{server.ca_file}"')


def test_netease(netease, write):
    server, proxy = netease
    done = doctor(write(*through(server, proxy), address="me@163.com", user="me@163.com"))
    assert done.returncode == 0
    assert set(proxy.asked) == {"imap.163.com:993"}
    assert server.commands.index("ID") < server.commands.index("EXAMINE")
    same_as_read(done.stdout, "doctor-netease")


def test_netease_with_the_usual_password(netease, write):
    server, proxy = netease
    server.on("AUTHENTICATE", b"{tag} NO LOGIN Login error or password error\r\n")
    done = doctor(write(*through(server, proxy), address="me@163.com", user="me@163.com"))
    assert done.returncode == 1
    same_as_read(done.stdout, "doctor-netease-password")


def test_netease_that_dislikes_our_name(netease, write):
    server, proxy = netease
    server.on("EXAMINE", b"{tag} NO EXAMINE Unsafe Login. Please contact kefu@188.com for help\r\n")
    done = doctor(write(*through(server, proxy), address="me@163.com", user="me@163.com"))
    assert done.returncode == 1
    same_as_read(done.stdout, "doctor-netease-stranger")


def test_a_port_that_refuses(write):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        done = doctor(write('host = "127.0.0.1"', f"port = {taken.getsockname()[1]}"))
    assert done.returncode == 1
    same_as_read(done.stdout, "doctor-refused")


def test_a_host_that_stays_silent(write):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = doctor(write('host = "127.0.0.1"', f"port = {silent.getsockname()[1]}"), "--timeout", "0.5")
    assert done.returncode == 1
    same_as_read(done.stdout, "doctor-silent")


def test_a_name_that_is_not_there(write):
    done = doctor(write('host = "imap.nowhere.invalid"'), "--timeout", "5")
    assert done.returncode == 1
    assert "dns       failed" in done.stdout
    assert "imap.nowhere.invalid" in done.stdout


def test_a_certificate_that_nobody_knows(server, write):
    done = doctor(write(*at(server)[:2]))
    assert done.returncode == 1
    same_as_read(done.stdout, "doctor-stranger")


@pytest.mark.parametrize("starttls", [False, True], ids=["implicit", "starttls"])
def test_a_certificate_for_another_name(write, starttls):
    names = tuple(f"{name}.example.org" for name in ("mail", "imap", "smtp", "pop", "www", "*"))
    with ImapServer(names=names, starttls=starttls) as server:
        server.capabilities += " STARTTLS" if starttls else ""
        lines = [*at(server), 'tls = "starttls"'] if starttls else at(server)
        done = doctor(write(*lines))
    assert done.returncode == 1
    assert server.logins == 0
    same_as_read(done.stdout, "doctor-other-name-starttls" if starttls else "doctor-other-name")


def test_a_certificate_that_has_expired(write):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("127.0.0.1", not_after=datetime(2020, 2, 3, tzinfo=UTC)).configure_cert(context)
    with ImapServer(context=context) as server:
        done = doctor(write(*at(server)))
    assert "can't be trusted: it has expired: its operator must renew it, or the clock of this machine" in done.stdout
    assert "it shows (1 of 1) trustme" in done.stdout
    assert "valid from 2000-01-01 to 2020-02-03, for 127.0.0.1" in done.stdout


def test_a_mailbox_that_nobody_has_signed_in_to(server, write):
    config = write(*at(server), more='[oauth.google]\nclient_id = "1"')
    config.write_text(config.read_text().replace('password = { file = "password" }', 'oauth = "google"'))
    done = doctor(config)
    assert done.returncode == 1
    same_as_read(done.stdout, "doctor-sign-in")
    assert server.logins == 0


def test_a_missing_password(server, write):
    config = write(*at(server))
    (config.parent / "password").unlink()
    done = doctor(config)
    assert done.returncode == 1
    assert "password  failed" in done.stdout
    assert server.logins == 0


def test_words_of_the_server_are_printable(server, write):
    server.greeting = b"* OK \x1b[31mred\x07\r\n"
    server.folder("be\x1bll")
    done = doctor(write(*at(server), 'folders = ["INBOX", "x*"]'), "--no-write")
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mred" in done.stdout
    assert "x* fits no folder on the server" in done.stdout
    assert done.returncode == 1


def test_json_and_choice(server, write):
    config = write(*at(server), more='[account.other]\naddress = "o@x.example"\npassword = { env = "NOT_SET" }\n')
    done = doctor(config, "--json", "--no-write", "support")
    [told] = json.loads(done.stdout)
    assert (told["account"], told["well"], told["verdict"]) == ("support", True, "all well")
    assert [one["step"] for one in told["findings"]][:4] == ["config", "dns", "tcp", "tls"]
    done = doctor(config, "nobody")
    assert done.returncode == 1
    assert done.stderr == f"imap-watcher: there is no account nobody in {config}; known here: support, other\n"


def test_bad_configuration(write):
    done = doctor(write("color = 1"))
    assert done.returncode == 78
    assert "color: is unknown" in done.stderr


# --- what follows from what -------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def certificate(subject, days):
    return Certificate(subject, "Root", (subject,), NOW - timedelta(days=30), NOW + timedelta(days=days))


@pytest.mark.parametrize(
    ("days", "mark", "words"),
    [
        ((90, 900), Mark.WELL, "ends 2027-02-20, in 90 days"),
        ((13, 900), Mark.DOUBT, "in 13 days: its operator should renew it now"),
        ((14, 900), Mark.WELL, "in 14 days"),
        ((90, 5), Mark.DOUBT, "ends 2026-11-27 (that of Root), in 5 days"),
    ],
)
def test_certificates_near_their_end(days, mark, words):
    chain = (certificate("mail.example", days[0]), certificate("Root", days[1]))
    found = of_transport(Transport("TLSv1.3", chain), "mail.example", NOW)
    assert found.mark is mark
    assert words in found.text


@pytest.mark.parametrize(
    ("received", "sent", "now", "expected"),
    [(100, 100.9, 101.2, 0), (100, 100.2, 100.4, 0), (160, 100.2, 100.4, 59.6), (40, 100.5, 101, -59.5)],
)
def test_clocks(received, sent, now, expected):
    assert ahead(received, sent, now) == pytest.approx(expected)
    assert of_clock(expected).mark is (Mark.DOUBT if abs(expected) > 30 else Mark.WELL)


def test_features_that_are_missing_are_explained():
    known, netease = profile_for("me@example.com"), profile_for("me@163.com")
    assert of_features({"IDLE", "UIDPLUS", "MOVE"}, known).mark is Mark.WELL
    found = of_features({"MOVE"}, known)
    assert found.mark is Mark.DOUBT
    assert "no IDLE: new mail is found by asking" in found.text
    assert of_features({"MOVE"}, netease).mark is Mark.WELL, "it is known to have none"


def test_verdicts():
    well, doubt, failed = (Finding("tls", mark, "") for mark in Mark)
    assert verdict([well]) == "all well"
    assert verdict([doubt, well]) == "works; look at tls"
    assert verdict([failed, doubt]) == "does not work: tls failed"
    assert verdict([well, failed]) == "does not work: tls failed; what comes after that was not looked at"
