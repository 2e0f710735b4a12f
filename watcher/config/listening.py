"""Where a page for machines is served: on this machine only."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator

from watcher.config.shape import has_control

__all__ = ["Listening", "ListeningPlace", "parse_listening"]

_ALLOWED = 'allowed are a loopback address with a port, such as "127.0.0.1:9187" or "[::1]:9187", or a whole path'


@dataclass(frozen=True, slots=True)
class Listening:
    """A loopback address and port, or a socket in the file system."""

    host: str = ""
    port: int = 0  #: 0: one that is free
    path: Path | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return str(self.path) if self.path else f"{host}:{self.port}"


def parse_listening(value: object) -> Listening:
    """The place meant by "127.0.0.1:9187", "[::1]:9187" or "/run/imap-watcher/metrics.sock". Raises ValueError."""
    match value:
        case Listening():
            return value
        case str() if value.startswith("/") and not has_control(value):
            return Listening(path=Path(value))
        case str():
            host, _, port = value.rpartition(":")
            host = host.removeprefix("[").removesuffix("]")
            try:
                loopback = ip_address(host).is_loopback
            except ValueError:
                loopback = False
            if loopback and port.isascii() and port.isdigit() and int(port) < 65536:
                return Listening(host, int(port))
            if port.isdigit():
                raise ValueError(
                    f"{host!r} is not a loopback address, and what is told there is for this machine; {_ALLOWED}"
                )
    raise ValueError(f"is not a place to listen; {_ALLOWED}")


ListeningPlace = Annotated[Listening, PlainValidator(parse_listening)]
