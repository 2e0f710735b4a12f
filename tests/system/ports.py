"""Ports for servers that must be told theirs before they start, and keep it while they are down."""

import socket
from random import SystemRandom

__all__ = ["free_port"]

#: Below those that the kernel gives out by itself: what else runs meanwhile is given none of these.
PORTS = range(10_000, 32_000)


def free_port() -> int:
    """One that nobody uses on 127.0.0.1. By chance, since other tests look for one at the same time."""
    while True:
        port = SystemRandom().choice(PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
