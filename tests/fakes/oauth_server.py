"""
An authorization server that does as it is told: real HTTPS, consent by browser and by device code, rotating tokens.

    with OAuthServer() as server:
        client = server.client()                       # as an administrator would have configured it
        tokens = server.consent()                      # a first refresh token, as if somebody had logged in
        server.on("refresh", lose)                     # acts on it, then cuts the connection
        server.on("refresh", error("invalid_grant"))   # instead of the honest answer, for the next one
        server.on("refresh", pause(arrived, go))       # tells `arrived`, waits for `go`, then acts honestly

How refresh tokens end is up to `rotation`: NONE (they live on), LENIENT (the old one lives until its successor, or the
access token that came with that, has been used; `use` tells), STRICT (used once; a second use is refused). A mail
server may ask at /introspect (RFC 7662) whether an access token is good; it belongs to who was `user` when it was
issued, and lives for `life` seconds. What came in: `forms`, by grant.
"""

import base64
import hashlib
import json
import secrets
import ssl
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self, TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit

import trustme

from watcher.config.oauth import OAuthClient
from watcher.config.secret import PlainSource, Secret

__all__ = ["CLIENT_SECRET", "OAuthServer", "Rotation", "cut", "double", "error", "lose", "pause", "raw"]

CLIENT_SECRET = "c4n4ry-client"
KINDS = {
    "refresh_token": "refresh",
    "authorization_code": "code",
    "urn:ietf:params:oauth:grant-type:device_code": "device",
}


class Rotation(Enum):
    NONE = 1
    LENIENT = 2
    STRICT = 3


class Refused(Exception):
    def __init__(self, code: str, told: str = "") -> None:
        super().__init__(code)
        self.answer = {"error": code, "error_description": told}


@dataclass
class Device:
    user_code: str
    state: str = "authorization_pending"  # or slow_down, access_denied, expired_token, "granted"


class OAuthServer:
    def __init__(self, rotation: Rotation = Rotation.NONE, life: object = 3600) -> None:
        self.rotation, self.life = rotation, life
        self.interval: object = 0.01
        self.code_life: object = 600
        self.deny = ""  # an error code that the consent page comes back with
        self.refresh_tokens = True
        self.user = "alice"  # whoever consents now
        self.forms: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.issued: list[str] = []  # access tokens, in order
        self.devices: dict[str, Device] = {}
        self._lock = threading.Lock()
        self._parents: dict[str, str] = {}  # refresh token -> the one it came from
        self._came_with: dict[str, str] = {}  # access token -> refresh token
        self._ends: dict[str, tuple[str, float]] = {}  # access token -> its user, and when it ends
        self._codes: dict[str, dict[str, str]] = {}
        self._script: dict[str, deque[Act]] = defaultdict(deque)
        self._folder = tempfile.TemporaryDirectory()
        authority = trustme.CA()
        self.ca_file = Path(self._folder.name) / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._http = Listener(("127.0.0.1", 0), Handler)
        self._http.oauth = self
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.base = f"https://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._folder.cleanup()

    def client(self, **changes: object) -> OAuthClient:
        given = {
            "client_id": "watcher-id",
            "client_secret": PlainSource(Secret(CLIENT_SECRET)),
            "auth_uri": self.base + "/authorize",
            "token_uri": self.base + "/token",
            "device_uri": self.base + "/device",
            "scope": "imap offline_access",
            "ca_file": self.ca_file,
        }
        return OAuthClient(**{key: value for key, value in {**given, **changes}.items() if value is not None})

    def consent(self) -> str:
        """A refresh token, as somebody's consent gives it."""
        with self._lock:
            return self._refresh_token("")

    def access(self, user: str) -> str:
        """An access token that somebody else has got for `user`."""
        with self._lock:
            self.user = user
            self._tokens("")
            return self.issued[-1]

    def expire(self, access: str) -> None:
        """End an access token before its time."""
        with self._lock:
            self._ends[access] = self._ends[access][0], 0.0

    def alive(self, refresh: str) -> bool:
        return refresh in self._parents

    def revoke(self, *refresh: str) -> None:
        for token in refresh:
            self._parents.pop(token, None)

    def use(self, access: str) -> None:
        """A mail server has seen this token: what came before it is over."""
        with self._lock:
            self._parents.pop(self._parents.get(self._came_with.get(access, ""), ""), None)

    def introspect(self, access: str) -> object:
        user, end = self._ends.get(access, ("", 0.0))
        if time.time() >= end:
            return {"active": False}
        self.use(access)
        return {"active": True, "username": user, "token_type": "Bearer"}

    def on(self, kind: str, *acts: "Act") -> None:
        """What to do with the next requests of a kind: refresh, code, device, or ask (for a device code)."""
        self._script[kind].extend(acts)

    # --- what it does; `Refused` is an OAuth error ---

    def handle(self, handler: "Handler", path: str, form: dict[str, str]) -> None:
        kind = "ask" if path == "/device" else KINDS.get(form.get("grant_type", ""), "nonsense")
        with self._lock:
            self.forms[kind].append(form)
            act = self._script[kind].popleft() if self._script[kind] else None

        def honest() -> object:
            with self._lock:
                if form.get("client_id") != "watcher-id" or form.get("client_secret") != CLIENT_SECRET:
                    raise Refused("invalid_client")
                return getattr(self, f"_{kind}")(form)

        if act:
            act(handler, honest)
        else:
            handler.answer_with(honest)

    def _nonsense(self, form: dict[str, str]) -> object:
        raise Refused("unsupported_grant_type")

    def _refresh(self, form: dict[str, str]) -> object:
        token = form["refresh_token"]
        if token not in self._parents:
            raise Refused("invalid_grant", f"the token {token} is no longer good")
        if self.rotation is Rotation.NONE:
            return self._tokens("")
        self._parents.pop(self._parents[token], None)  # its successor has been used
        fresh = self._refresh_token(token)
        if self.rotation is Rotation.STRICT:
            del self._parents[token]
        return self._tokens(fresh)

    def _code(self, form: dict[str, str]) -> object:
        asked = self._codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if asked is None or asked["code_challenge"] != challenge.rstrip("=") or len(form["code_verifier"]) < 43:
            raise Refused("invalid_grant", "unknown code or wrong verifier")
        if asked["redirect_uri"] != form["redirect_uri"]:
            raise Refused("invalid_grant", "another redirect_uri")
        return self._tokens(self._refresh_token("") if self.refresh_tokens else "")

    def _ask(self, form: dict[str, str]) -> object:
        if form.get("scope") != "imap offline_access":
            raise Refused("invalid_scope")
        code = secrets.token_urlsafe(16)
        self.devices[code] = Device("ABCD-" + code[:4].upper())
        return {
            "device_code": code,
            "user_code": self.devices[code].user_code,
            "verification_uri": self.base + "/enter",
            "interval": self.interval,
            "expires_in": self.code_life,
        }

    def _device(self, form: dict[str, str]) -> object:
        device = self.devices.get(form["device_code"])
        if device is None:
            raise Refused("invalid_grant")
        if device.state != "granted":
            raise Refused(device.state)
        del self.devices[form["device_code"]]
        return self._tokens(self._refresh_token(""))

    def authorize(self, query: dict[str, str]) -> str:
        """Where the consent page sends the browser: the user always agrees, or `deny` says what he does."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        back = {"state": query["state"]}
        if self.deny:
            back |= {"error": self.deny, "error_description": "no, \x1b[31mthanks"}
        else:
            back["code"] = secrets.token_urlsafe(16)
            self._codes[back["code"]] = query
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def _refresh_token(self, parent: str) -> str:
        token = "c4n4ry-refresh-" + secrets.token_urlsafe(16)
        self._parents[token] = parent
        return token

    def _tokens(self, refresh: str) -> object:
        access = "c4n4ry-access-" + secrets.token_urlsafe(16)
        self.issued.append(access)
        self._came_with[access] = refresh
        self._ends[access] = self.user, time.time() + (self.life if isinstance(self.life, int | float) else 3600)
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.life}
        return {**answer, "refresh_token": refresh} if refresh else answer


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    oauth: OAuthServer

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Listener
    timeout = 20

    def do_GET(self) -> None:
        if self.path.startswith("/introspect"):
            self.answer(200, self.server.oauth.introspect(self.headers["Authorization"].removeprefix("Bearer ")))
            return
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        self.send_response(302)
        self.send_header("Location", self.server.oauth.authorize(query))
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.oauth.handle(self, self.path, {key: values[0] for key, values in parse_qs(body).items()})

    def answer_with(self, honest: Callable[[], object]) -> None:
        try:
            self.answer(200, honest())
        except Refused as refused:
            self.answer(400, refused.answer)

    def answer(self, status: int, content: object) -> None:
        self.wfile.write(self.spelled(status, content))

    def spelled(self, status: int, content: object) -> bytes:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return b"HTTP/1.0 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            status,
            len(body),
            body,
        )

    def log_message(self, *_: object) -> None: ...


# --- misbehaviour -----------------------------------------------------------------------------------------------------


Act: TypeAlias = "Callable[[Handler, Callable[[], object]], None]"


def lose(handler: Handler, honest: Callable[[], object]) -> None:
    """Acts, and the answer never comes."""
    honest()


def cut(length: int) -> Act:
    """Acts, and the answer ends after some bytes."""

    def act(handler: Handler, honest: Callable[[], object]) -> None:
        handler.wfile.write(handler.spelled(200, honest())[:length])

    return act


def double(handler: Handler, honest: Callable[[], object]) -> None:
    """The same answer twice."""
    handler.wfile.write(handler.spelled(200, honest()) * 2)


def error(code: str, told: str = "", status: int = 400) -> Act:
    return lambda handler, _: handler.answer(status, {"error": code, "error_description": told})


def raw(status: int, content: object) -> Act:
    return lambda handler, _: handler.answer(status, content)


def pause(arrived: Callable[[], object], go: threading.Event, *, acted: bool = False, part: int = 0) -> Act:
    """Calls `arrived` and waits for `go`: before acting, after it has `acted`, or amid the answer."""

    def act(handler: Handler, honest: Callable[[], object]) -> None:
        answer = handler.spelled(200, honest()) if acted or part else b""
        if part:
            handler.wfile.write(answer[:part])
        arrived()
        assert go.wait(20)
        if answer:
            handler.wfile.write(answer[part:])
        else:
            handler.answer_with(honest)

    return act
