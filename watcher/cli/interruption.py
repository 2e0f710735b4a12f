"""A command that is told to end, or whose terminal is closed, clears up first what it has begun, as upon Ctrl-C."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["clearing_up"]


@contextmanager
def clearing_up() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is within in order, and then the process. One that is ignored (nohup) stays so."""
    ended_by: list[int] = []

    def leave(number: int, _: FrameType | None) -> None:
        if not ended_by:  # else it clears up already
            ended_by.append(number)
            sys.exit(128 + number)

    ends = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in ends:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in ends:
            signal.signal(number, signal.SIG_DFL)
        if ended_by:
            os.kill(os.getpid(), ended_by[0])  # so that whoever waits for us sees what ended us
