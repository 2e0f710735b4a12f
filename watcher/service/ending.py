"""Why the daemon ends: a signal, or an error that no stage may survive."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Ending"]


class Ending:
    """Set once; the main thread waits for it. `failure` is the first one, also of a stage that is being stopped."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason = ""
        self.failure: BaseException | None = None

    def wait(self, timeout: float) -> bool:
        return self.event.wait(timeout)

    def fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self.reason = self.reason or f"{type(error).__name__}: {error}"
        self.event.set()

    @contextmanager
    def signals(self) -> Iterator[None]:
        def stop(number: int, _: object) -> None:
            if not self.reason:  # a second one may come while the first is in `set`, whose lock it could never get
                self.reason = signal.Signals(number).name
                self.event.set()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
