"""Why the daemon ends: a signal, or an error that no stage may survive."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Ending"]


class Ending:
    """Set once; the main thread waits for it. `failure` is None for an end that was asked for."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason = ""
        self.failure: BaseException | None = None

    def wait(self, timeout: float) -> bool:
        return self.event.wait(timeout)

    def fail(self, error: BaseException) -> None:
        if not self.event.is_set():
            self.failure, self.reason = error, f"{type(error).__name__}: {error}"
            self.event.set()

    @contextmanager
    def signals(self) -> Iterator[None]:
        def stop(number: int, _: object) -> None:
            self.reason = self.reason or signal.Signals(number).name
            self.event.set()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
