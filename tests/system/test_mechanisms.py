"""Every way to log in, as Dovecot speaks it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.system.dovecot import Dovecot
from watcher.config.secret import Secret
from watcher.errors import LoginRefused
from watcher.imap.link import Credential, Endpoint, Proof, connect

pytestmark = pytest.mark.system

TOKEN = "a+token/of~alice="


class TokenInfo(BaseHTTPRequestHandler):
    """Tells whose a token is."""

    def do_GET(self) -> None:
        (token,) = parse_qs(urlsplit(self.path).query)["access_token"]
        self.send_response(200 if token == TOKEN else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"email": "alice"} if token == TOKEN else {"error": "invalid_token"}).encode())

    def log_message(self, *_words: object) -> None:
        """Not on the terminal."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[int]:
    """The port of a server that knows the token."""
    with ThreadingHTTPServer(("127.0.0.1", 0), TokenInfo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(issuer: int) -> Iterator[Dovecot]:
    running = Dovecot(users=("alice", "carol"))
    oauth = running.root / "oauth2.conf"
    oauth.write_text(f"tokeninfo_url = http://127.0.0.1:{issuer}/tokeninfo?access_token=\nusername_attribute = email\n")
    config = running.root / "dovecot.conf"
    text = config.read_text().replace("plain login", "plain login scram-sha-256 xoauth2 oauthbearer")
    passdb = f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {oauth}\n}}\n"
    at_once = "auth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"
    config.write_text(
        at_once + text.replace("passdb {", f"{passdb}passdb {{\n  mechanisms = plain login scram-sha-256", 1)
    )
    with running:
        # Stored like this, a password can be checked, but not by SCRAM.
        hashed = running.doveadm("pw", "-s", "SHA512-CRYPT", "-p", running.password).strip()
        users = running.root / "users"
        users.write_text(users.read_text().replace(f"carol:{{PLAIN}}{running.password}", f"carol:{hashed}"))
        yield running


def log_in(server: Dovecot, user: str, secret: str, proof: Proof = Proof.PASSWORD, way: str = "") -> str:
    """The mechanism that did it; what it can do afterwards is tried as well."""
    endpoint = Endpoint(server.host, server.port, ca_file=server.ca_file)
    link = connect(endpoint, Credential(user, Secret(secret), proof, way))
    assert link.examine("INBOX").uidvalidity
    link.logout()
    return link.mechanism


@pytest.mark.parametrize("way", ["SCRAM-SHA-256", "PLAIN", "LOGIN"])
def test_by_password(server: Dovecot, way: str) -> None:
    assert log_in(server, "alice", server.password, way=way) == way
    with pytest.raises(LoginRefused) as refused:
        log_in(server, "alice", "wrong", way=way)
    assert (refused.value.code, refused.value.cause) == ("AUTHENTICATIONFAILED", "credentials")


@pytest.mark.parametrize("way", ["OAUTHBEARER", "XOAUTH2"])
def test_by_token(server: Dovecot, way: str) -> None:
    assert log_in(server, "alice", TOKEN, Proof.TOKEN, way) == way
    with pytest.raises(LoginRefused, match='"status":"') as refused:
        log_in(server, "alice", "stale", Proof.TOKEN, way)
    assert refused.value.cause == "token"


def test_the_best_way_goes_first(server: Dovecot) -> None:
    assert log_in(server, "alice", server.password) == "SCRAM-SHA-256"
    assert log_in(server, "alice", TOKEN, Proof.TOKEN) == "OAUTHBEARER"


def test_a_password_that_scram_can_not_use(server: Dovecot) -> None:
    """It is offered to carol as well, and her right password refused."""
    with pytest.raises(LoginRefused):
        log_in(server, "carol", server.password, way="SCRAM-SHA-256")
    assert log_in(server, "carol", server.password) == "PLAIN"
