"""Consent in a browser on this machine: authorization code with PKCE (RFC 7636) and a loopback redirect (RFC 8252)."""

import base64
import hmac
import queue
import secrets
import threading
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

from watcher.config.oauth.client import OAuthClient
from watcher.config.oauth.exchange import Form, fetch_tokens, refused
from watcher.config.oauth.grant import Tokens
from watcher.config.secret import Secret
from watcher.errors import LoginRefused, SecretUnavailable

__all__ = ["consent_in_browser"]

#: Seconds the user has for it.
PATIENCE = 900.0

#: What the browser shows in the end.
PAGE = """<!doctype html><meta charset="utf-8"><title>imap-watcher</title>
<body style="font-family: sans-serif; margin: 4em"><p>{}</p></body>
"""


def consent_in_browser(
    client: OAuthClient, user: str, show: Callable[[str], None], *, port: int = 0, patience: float = PATIENCE
) -> Tokens:
    """
    The tokens that the user consents to. `show` gets the address of the page and returns when the user has it.

    Listens on 127.0.0.1 (`port`, or any free one) until the browser comes back, `patience` seconds at most. Raises
    LoginRefused if it was denied or can't be done here, SecretUnavailable if it took too long, else as `fetch_tokens`.
    """
    if not client.auth_uri:
        raise LoginRefused(f"{urlsplit(client.token_uri).hostname} has no page for a browser here: use --device")
    verifier = secrets.token_urlsafe(64)
    with Loopback(port) as loopback:
        host = client.issuer.redirect_host if client.issuer else "127.0.0.1"
        redirect = f"http://{host}:{loopback.server_address[1]}"
        show(_page(client, user, redirect, loopback.state, verifier))
        try:
            arrived = loopback.arrived.get(timeout=patience)
        except queue.Empty as error:
            raise SecretUnavailable(f"nobody came back from the browser within {patience / 60:.0f} minutes") from error
    if "code" not in arrived:
        host = urlsplit(client.auth_uri).hostname or ""
        raise refused(client, host, arrived.get("error", "no code"), arrived.get("error_description", ""))
    form: Form = {
        "grant_type": "authorization_code",
        "code": Secret(arrived["code"]),
        "redirect_uri": redirect,
        "code_verifier": Secret(verifier),
    }
    return fetch_tokens(client, form)


def _page(client: OAuthClient, user: str, redirect: str, state: str, verifier: str) -> str:
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=")
    query = {
        "client_id": client.client_id,
        "response_type": "code",
        "redirect_uri": redirect,
        "scope": client.scope,
        "state": state,
        "code_challenge": challenge.decode("ascii"),
        "code_challenge_method": "S256",
        "login_hint": user,
        **(client.issuer.extras if client.issuer else {}),
    }
    return f"{client.auth_uri}{'&' if '?' in client.auth_uri else '?'}{urlencode(query)}"


class Loopback(ThreadingTCPServer):
    """
    Waits for the browser to come back with our `state`; what comes without it counts for nothing.

    Threads, since browsers open connections that they never use.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.state = secrets.token_urlsafe(32)
        self.arrived: queue.Queue[dict[str, str]] = queue.Queue()
        try:
            super().__init__(("127.0.0.1", port), Redirection)
        except OSError as error:
            raise LoginRefused(f"port {port} of 127.0.0.1 can't be used: {error.strerror}") from error
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="loopback", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class Redirection(BaseHTTPRequestHandler):
    """One request of the browser: it brings the code, or the refusal (RFC 6749 4.1.2)."""

    server: Loopback
    timeout = 10

    def do_GET(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if not hmac.compare_digest(query.get("state", "").encode(), self.server.state.encode()):
            self._answer(404, "This page belongs to a login of imap-watcher; it is not for this request.")
            return
        good = "code" in query
        self._answer(200, f"{'Thank you.' if good else 'Nothing was granted.'} You can close this window.")
        self.server.arrived.put(query)

    def _answer(self, status: int, words: str) -> None:
        content = PAGE.format(words).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")  # the address holds the code
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing: the address holds the code."""
