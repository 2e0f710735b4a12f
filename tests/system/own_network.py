"""
A network of a test's own: only loopback, and a packet filter that nobody shares. Takes root, and leaves nothing.

    in_own_network(test)   # runs `test()` in it: what it starts there, processes and threads, lives there too

The namespace has no name, so it ends with the last of those who live in it.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

__all__ = ["MiddleBox", "in_own_network"]

T = TypeVar("T")

CLONE_NEWNET = 0x40000000  #: sched.h; os.unshare comes with Python 3.12 only
CONNTRACK = Path("/proc/sys/net/netfilter")  #: of the namespace of the thread that looks

FILTER = """
table inet middle_box {
  set forgotten { type inet_service; }
  chain incoming {
    type filter hook input priority 0;
    ct state invalid counter drop
    tcp sport @forgotten counter drop
    tcp dport @forgotten counter drop
  }
}
"""


def in_own_network(work: Callable[[], T]) -> T:
    """What `work` returns or raises."""
    with ThreadPoolExecutor(1, initializer=_move_out) as hand:
        return hand.submit(work).result()


def _move_out() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class MiddleBox:
    """Forgets links without a word: their packets are dropped, both ways. For the network that it is made in."""

    def __init__(self, idle: int | None = None) -> None:
        """`idle`: seconds without a packet after which it forgets a link by itself; None: never."""
        _nft(FILTER)
        if idle is not None:
            # What is not known is not picked up in the middle: so does every NAT.
            (CONNTRACK / "nf_conntrack_tcp_loose").write_text("0")
            (CONNTRACK / "nf_conntrack_tcp_timeout_established").write_text(str(idle))

    def forget(self, port: int) -> int:
        """Forget all links to this port that stand now; how many there were."""
        told = subprocess.run(
            ["ss", "-Htn", "state", "established", "dport", "=", f":{port}"], check=True, capture_output=True, text=True
        ).stdout
        links = [line.split()[2].rpartition(":")[2] for line in told.splitlines()]
        if links:
            _nft(f"add element inet middle_box forgotten {{ {_joined(links)} }}")
        return len(links)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)


def _nft(script: str) -> None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True, env={"PATH": path})
