"""
A program at a terminal of its own, as a person sees and works it.

    with Terminal([sys.executable, "-m", "watcher", ...]) as terminal:
        terminal.until("Password")
        terminal.types("secret\n")
        assert terminal.ended() == 0
        assert b"secret" not in terminal.shown
"""

import contextlib
import os
import pty
import select
import signal
import time
from typing import Self

__all__ = ["Terminal"]


class Terminal:
    def __init__(self, command: list[str], **environment: str) -> None:
        self.shown = b""  #: every byte that the terminal was sent
        self._seen = 0
        self._code: int | None = None
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, os.environ | {"TERM": "xterm", **environment})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._screen)

    def until(self, words: str, seconds: float = 30) -> None:
        """Reads until these words are shown, after those of the last call."""
        deadline = time.monotonic() + seconds
        while (found := self.shown.find(words.encode(), self._seen)) < 0:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{words!r} is not shown, but {self.shown[self._seen :].decode()!r}")
        self._seen = found + len(words.encode())

    def types(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def ended(self, seconds: float = 30) -> int:
        """The exit code; negative, the signal that ended it."""
        deadline = time.monotonic() + seconds
        while self._read(max(0.0, deadline - time.monotonic())):
            pass
        with os.fdopen(os.pidfd_open(self.pid)) as process:
            if not select.select([process], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"it goes on after {self.shown[self._seen :].decode()!r}")
        self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def interrupted(self, seconds: float = 30) -> int:
        """
        Ctrl-C; the exit code. Again after some seconds, as a person would: Python looks whether it was interrupted
        before it reads, so what comes between that and the read is seen only after the next key. Not sooner, since a
        busy machine takes its time to end a program, and a second Ctrl-C then kills it.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.types("\x03")
            with contextlib.suppress(AssertionError):
                return self.ended(5)
        raise AssertionError(f"Ctrl-C does not end it after {self.shown[self._seen :].decode()!r}")

    def hung_up(self, seconds: float = 30) -> int:
        """Its window is closed; how the program ended upon that."""
        os.close(self._screen)
        self._screen = os.pidfd_open(self.pid)
        if not select.select([self._screen], [], [], seconds)[0]:
            raise AssertionError("it goes on without its terminal")
        self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def _read(self, seconds: float) -> bytes:
        """What comes next; nothing at the end of the program, or after so many seconds."""
        data = b""
        if select.select([self._screen], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # EIO: nobody has it open any more
                data = os.read(self._screen, 4096)
        self.shown += data
        return data
