"""Real proxies of the distribution, each a process of its own on a free port of 127.0.0.1."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.system.ports import free_port
from tests.system.waiting import until

__all__ = ["PASSWORD", "USER", "microsocks", "tinyproxy"]

USER, PASSWORD = "me", "hushhush"


@contextmanager
def microsocks(*, login: bool) -> Iterator[int]:
    """The port of a SOCKS5 proxy; `login`: it wants USER and PASSWORD."""
    port = free_port()
    user = ["-u", USER, "-P", PASSWORD] if login else []
    with running(["microsocks", "-i", "127.0.0.1", "-p", str(port), *user], port):
        yield port


@contextmanager
def tinyproxy(home: Path, allowed: Sequence[int], *, login: bool) -> Iterator[int]:
    """The port of an HTTP proxy that connects to the `allowed` ports; `login`: it wants USER and PASSWORD."""
    port = free_port()
    lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 600", "LogLevel Info", f'LogFile "{home}/tinyproxy.log"']
    lines += [f"ConnectPort {one}" for one in allowed]
    lines += [f"BasicAuth {USER} {PASSWORD}"] if login else []
    config = home / "tinyproxy.conf"
    config.write_text("\n".join([*lines, ""]))
    with running(["tinyproxy", "-d", "-c", str(config)], port):
        yield port


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: answers(port), 60, f"{command[0]} to listen")
            yield
        finally:
            process.terminate()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 30).close()
    except OSError:
        return False
    return True
