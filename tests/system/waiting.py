"""Waiting for a condition of another process: looked at often, and given up at a deadline with what was missing."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until"]

T = TypeVar("T")


def until(look: Callable[[], T], within: float, what: str, every: float = 0.02) -> T:
    """The first true value of `look()`; TimeoutError naming `what` after `within` seconds.

    Another process can't ring a bell of ours, so this looks again `every` so many seconds.
    """
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise TimeoutError(f"not within {within:g} s: {what}")
        time.sleep(every)
