"""From the first login to a renewal in mid-life: a real authorization server's answers, a real mail server's tokens."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.oauth_server import CLIENT_SECRET, OAuthServer, Rotation, lose
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import mail
from tests.system.waiting import until

pytestmark = pytest.mark.system

BROWSER = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
urllib.request.urlopen(sys.argv[2], context=context, timeout=60).read()
"""


@dataclass
class House:
    """A mail server, its authorization server, and a daemon that is to log in there."""

    mail: Dovecot
    tokens: OAuthServer
    daemon: Daemon
    mechanism: str

    def prove(self, by: str) -> None:
        """Has alice log in by a line of configuration in place of her password."""
        config, password = self.daemon.config, f'password = {{ file = "{self.daemon.home}/password" }}'
        assert password in config.read_text()
        config.write_text(config.read_text().replace(password, by))

    def login(self, *arguments: str, consent) -> str:
        command = [sys.executable, "-m", "watcher", "--config", str(self.daemon.config), "login", "alice", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            consent(process)
            said = process.stdout.read()
        assert process.returncode == 0, said
        return said

    def by_code(self, _process) -> None:
        until(lambda: self.tokens.devices, 60, "a device code")
        for device in list(self.tokens.devices.values()):
            device.state = "granted"

    def by_browser(self, process) -> None:
        page = next(line.strip() for line in process.stdout if line.startswith(self.tokens.base))
        subprocess.run([sys.executable, "-c", BROWSER, self.tokens.ca_file, page], check=True, timeout=100)

    def handled(self, case: int) -> None:
        self.mail.deliver("alice", mail(case).raw)
        self.daemon.handled([case], within=60)


@pytest.fixture(params=["oauthbearer", "xoauth2"])
def house(request, tmp_path):
    tokens = OAuthServer(Rotation.LENIENT)
    server = Dovecot(users=("alice", "bob"))
    allow_tokens(server, tokens, request.param)
    daemon = Daemon(tmp_path, server, [Watched("alice")], settings=client_section(tokens, tmp_path))
    with tokens, server:
        yield House(server, tokens, daemon, request.param.upper())


def allow_tokens(server: Dovecot, tokens: OAuthServer, mechanism: str) -> None:
    authority = server.root / "oauth-ca.pem"
    authority.write_bytes(tokens.ca_file.read_bytes())
    authority.chmod(0o644)
    settings = server.root / "oauth2.conf"
    settings.write_text(
        f"introspection_url = {tokens.base}/introspect\nintrospection_mode = auth\nusername_attribute = username\n"
        f"active_attribute = active\nactive_value = true\ntls_ca_cert_file = {authority}\n"
    )
    settings.chmod(0o644)
    with (server.root / "dovecot.conf").open("a") as config:
        config.write(
            f"auth_mechanisms = plain {mechanism}\n"
            f"passdb {{\n  driver = oauth2\n  mechanisms = {mechanism}\n  args = {settings}\n}}\n"
        )


def client_section(tokens: OAuthServer, home: Path) -> str:
    secret = home / "client-secret"
    secret.touch(mode=0o600)
    secret.write_text(CLIENT_SECRET)
    return f"""
[oauth.own]
client_id = "watcher-id"
client_secret = {{ file = "{secret}" }}
auth_uri = "{tokens.base}/authorize"
token_uri = "{tokens.base}/token"
device_uri = "{tokens.base}/device"
scope = "imap offline_access"
ca_file = "{tokens.ca_file}"
"""


@pytest.mark.parametrize("way", ["by_code", "by_browser"])
def test_from_the_login_to_a_renewal_in_mid_life(house, way):
    house.prove('oauth = "own"')
    house.tokens.life = 4
    house.login(*(["--device"] if way == "by_code" else []), consent=getattr(house, way))
    house.tokens.life = 3600
    house.tokens.on("refresh", lose)
    with house.daemon:
        house.handled(1)
        until(lambda: not house.tokens.introspect(house.tokens.issued[0])["active"], 60, "the end of the first token")
        house.mail.kick("alice")
        house.handled(2)
        house.daemon.kill()
        house.daemon.start()
        house.handled(3)
        assert house.daemon.stop() == 0
    assert len(house.tokens.forms["refresh"]) >= 2
    assert f"method={house.mechanism}" in house.mail.log()
    assert "c4n4ry" not in house.daemon.log() + house.mail.log()


def test_a_token_from_elsewhere_is_asked_for_at_every_login(house):
    tokens = house.daemon.home / "tokens"
    tokens.write_text(house.tokens.access("alice") + "\n")
    house.prove(f'token = {{ command = "head -n1 {tokens}" }}')
    with house.daemon:
        house.handled(1)
        house.daemon.settled([1], within=60)
        house.tokens.expire(house.tokens.issued[0])
        tokens.write_text(house.tokens.access("alice") + "\n")
        house.mail.kick("alice")
        house.handled(2)
    assert f"method={house.mechanism}" in house.mail.log()
    assert "c4n4ry" not in house.daemon.log()


def test_who_has_not_logged_in_is_told_what_to_do(house):
    house.prove('oauth = "own"')
    with house.daemon:
        house.daemon.until(lambda: "run: imap-watcher login alice" in house.daemon.log(), 60, "word of what to do")
    assert "Traceback" not in house.daemon.log()
