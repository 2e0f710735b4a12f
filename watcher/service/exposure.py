"""A page for machines, on this machine only: /metrics, /healthz (the process) and /readyz (the accounts)."""

import logging
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from time import monotonic
from typing import Any

from watcher.config.listening import Listening
from watcher.config.shape import is_here
from watcher.errors import ConfigError
from watcher.service.sockets import bind_at, remove

__all__ = ["Exposure", "Page"]

log = logging.getLogger(__name__)

PATIENCE = 10.0  #: seconds in which more of a request must come
LONGEST = 30.0  #: seconds that a request may take in all, however little of it comes at a time
MOST = 16  #: requests at once

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
        self.file = where.path.lstat() if where.path else None
        self.thread = threading.Thread(target=self.server.serve_forever, name="metrics", daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        if self.where.path and self.file:
            remove(self.where.path, self.file)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = MOST
    pages: Mapping[str, Page]
    places: threading.Semaphore
    due: dict[socket.socket, float]  #: requests, and when they must be over

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own; one too many is turned away, as anybody on this machine may ask."""
        if self.places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.due[request] = monotonic() + LONGEST
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self.due[request]
            self.places.release()

    def service_actions(self) -> None:
        """Called twice a second."""
        for request, due in self.due.copy().items():
            if monotonic() > due:
                with suppress(OSError):  # it is over by now
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, _request: object, _address: object) -> None:
        log.debug("metrics: a request failed: %s", sys.exc_info()[1])


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: _Server

    def do_GET(self) -> None:
        if not names_us(self.headers.get("Host", "")):
            self.send_error(421)  # a page of somebody's had its name point to this machine (DNS rebinding)
            return
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


def names_us(host: str) -> bool:
    """Whether a Host field, which is empty for old clients and on a socket of the file system, means this machine."""
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
    return not name or is_here(name.removeprefix("[").removesuffix("]"))


def _server(where: Listening, pages: Mapping[str, Page]) -> _Server:
    server = _Server((where.host, where.port), _Handler, bind_and_activate=False)
    server.pages, server.places, server.due = pages, threading.Semaphore(MOST), {}
    server.socket.close()
    try:
        if where.path:  # whoever may enter its directory may ask: a scraper runs as another user
            server.socket = bind_at(where.path, 0o666)
        else:
            server.socket = socket.socket(socket.AF_INET6 if ":" in where.host else socket.AF_INET, socket.SOCK_STREAM)
            server.server_bind()
        server.server_activate()
    except OSError:
        server.server_close()
        raise
    return server
