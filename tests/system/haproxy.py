"""HAProxy between the daemon and a server, as a middle box that forgets idle links after a few seconds."""

import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.system.ports import free_port
from tests.system.waiting import until

__all__ = ["HAProxy"]

HAPROXY = "/usr/sbin/haproxy"


class HAProxy:
    """Passes bytes between its port and the server's; a context manager. It keeps its things in `home`."""

    host = "127.0.0.1"

    def __init__(self, home: Path, server_port: int, *, idle: int) -> None:
        """`idle`: seconds without a byte, from either side, after which a link is ended."""
        home.mkdir()
        self.port = free_port()
        self._admin, self._config, self._said = home / "admin.sock", home / "haproxy.cfg", home / "stderr"
        self._config.write_text(
            f"""global
  stats socket {self._admin} mode 600 level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client {idle}s
  timeout server {idle}s
frontend clients
  bind 127.0.0.1:{self.port}
  default_backend mail
backend mail
  server dovecot 127.0.0.1:{server_port}
"""
        )

    def __enter__(self) -> Self:
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [HAPROXY, "-db", "-f", self._config], stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        until(self._answers, 60, "HAProxy")
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()

    def cut(self) -> None:
        """End all links now, as its operator can."""
        self._tell("shutdown sessions server mail/dovecot")

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._said.read_text()
        with suppress(OSError):
            return "Uptime" in self._tell("show info")
        return False

    def _tell(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(str(self._admin))
            line.sendall(command.encode() + b"\n")
            answer = b""
            while piece := line.recv(65536):
                answer += piece
            return answer.decode()
