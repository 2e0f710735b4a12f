"""
An HTTP proxy that connects to where the test wants, whatever name it is asked for: so a program under test can believe
that it talks to `imap.163.com`, its certificate checked, while nothing leaves the machine.

    with ConnectProxy(("127.0.0.1", server.port)) as proxy:
        ...  # proxy = "http://127.0.0.1:{proxy.port}" in the configuration
"""

import socket
import threading
from contextlib import suppress
from typing import Self

__all__ = ["ConnectProxy"]


class ConnectProxy:
    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.asked: list[str] = []  #: HOST:PORT of each CONNECT
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        for sock in (self._listener, *self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, *self._sockets):
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        header = b""
        while not header.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                return  # only looked whether we are there
            header += byte
        self.asked.append(header.split()[1].decode())
        server = socket.create_connection(self.target)
        self._sockets.append(server)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._run(self._pump, server, client)
        self._pump(client, server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _run(self, act, *arguments) -> None:
        thread = threading.Thread(target=act, args=arguments)
        self._threads.append(thread)
        thread.start()
