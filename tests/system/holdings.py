"""What a daemon holds on to, as the kernel sees it: what is more at the end than at the beginning has leaked."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.system.processes import descendants, usage

__all__ = ["Holdings", "holdings"]


@dataclass(frozen=True, slots=True)
class Holdings:
    """Counted at one moment."""

    links: int  #: TCP sockets
    others: int  #: other descriptors
    threads: int
    processes: int  #: itself and all below it

    def beyond(self, earlier: "Holdings") -> dict[str, int]:
        """What there is more of than earlier, and how many; links are not compared."""
        more = {
            "descriptors": self.others - earlier.others,
            "threads": self.threads - earlier.threads,
            "processes": self.processes - earlier.processes,
        }
        return {what: count for what, count in more.items() if count > 0}


def holdings(pid: int) -> Holdings:
    """Of the process now; ProcessLookupError if it has ended."""
    links = Counter(_descriptors(pid)) & Counter(_tcp_sockets(pid))
    used = usage(pid)
    return Holdings(links.total(), used.descriptors - links.total(), used.threads, len(descendants(pid)))


def _descriptors(pid: int) -> list[str]:
    """What each stands for: a path, or "socket:[4711]"."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def _tcp_sockets(pid: int) -> list[str]:
    """All of the network namespace that the process lives in."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in _table(pid, table)]
    return [f"socket:[{row[9]}]" for row in rows]


def _table(pid: int, name: str) -> list[str]:
    path = Path(f"/proc/{pid}/net/{name}")
    return path.read_text().splitlines()[1:] if path.exists() else []
