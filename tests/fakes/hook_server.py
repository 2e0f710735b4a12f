"""
A web server that keeps what it is sent and answers as the test says; over TLS if it is given a certificate.

    with HookServer() as server:
        server.answers.append(Reply(503, {"Retry-After": "60"}))
        ...  # server.url; afterwards server.requests
"""

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

__all__ = ["HookServer", "Reply", "Request"]


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Request:
    target: str
    headers: dict[str, str]  #: names in lower case
    body: bytes


Behaviour = Callable[[BaseHTTPRequestHandler, Request], None]  #: for what no Reply can say


class HookServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, trust: ssl.SSLContext | None = None, host: str = "localhost") -> None:
        self.requests: list[Request] = []
        self.answers: list[Reply | Behaviour] = []  #: one for each request; then `usual`
        self.usual: Reply | Behaviour = Reply()
        self.over = threading.Event()  #: set at the end: for a behaviour that waits
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"{'https' if trust else 'http'}://{host}:{self.server_port}/hook?a=1"
        if trust:
            self.socket = trust.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_about: object) -> None:
        """A client that hangs up is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.server.requests.append(request)
        answer = self.server.answers.pop(0) if self.server.answers else self.server.usual
        with suppress(ConnectionError):
            if isinstance(answer, Reply):
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
            else:
                answer(self, request)
        self.close_connection = True

    def log_message(self, *_words: object) -> None:
        """Says nothing."""
