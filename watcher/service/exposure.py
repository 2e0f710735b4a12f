"""A page for machines, on this machine only: /metrics, /healthz (the process) and /readyz (the accounts)."""

import logging
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from watcher.config.listening import Listening
from watcher.errors import ConfigError

__all__ = ["Exposure", "Page"]

log = logging.getLogger(__name__)

PATIENCE = 10.0  #: seconds that a request may take to be sent

#: Gives status and body. The body of "/metrics" is in the text format of Prometheus, others are lines for people.
Page = Callable[[], tuple[int, bytes]]


class Exposure:
    """Serves the pages from a few threads of its own until it is closed."""

    def __init__(self, where: Listening, pages: Mapping[str, Page]) -> None:
        """Raises ConfigError if `where` can't be listened on."""
        self.where = where
        try:
            self.server = _server(where, pages)
        except OSError as error:
            raise ConfigError([f"watcher.metrics: can't listen on {where}: {error.strerror or error}"]) from error
        self.thread = threading.Thread(target=self.server.serve_forever, name="metrics", daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        if self.where.path:
            self.where.path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    pages: Mapping[str, Page]

    def handle_error(self, _request: object, _address: object) -> None:
        log.debug("metrics: a request failed: %s", sys.exc_info()[1])


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: _Server

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        status, body = page() if page else (404, ("known here: " + ", ".join(self.server.pages) + "\n").encode())
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "-"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the library's
        log.debug("metrics: %s", format % arguments)


def _server(where: Listening, pages: Mapping[str, Page]) -> _Server:
    server = _Server((where.host, where.port), _Handler, bind_and_activate=False)
    server.pages = pages
    server.socket.close()
    family = socket.AF_UNIX if where.path else socket.AF_INET6 if ":" in where.host else socket.AF_INET
    server.socket = socket.socket(family, socket.SOCK_STREAM)
    try:
        if where.path:
            _bind(server.socket, where.path)
        else:
            server.server_bind()
        server.server_activate()
    except OSError:
        server.server_close()
        raise
    return server


def _bind(line: socket.socket, path: Path) -> None:
    """Whoever may enter its directory may ask: a scraper runs as another user."""
    if path.is_socket():  # left by a daemon that was killed
        path.unlink()
    before = os.umask(0o111)
    try:
        line.bind(str(path))
    finally:
        os.umask(before)
