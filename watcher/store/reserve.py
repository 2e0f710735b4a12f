"""Room that is kept back for the day when the disk is full: to write down what has begun, and to clear away."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Reserve"]

SIZE = 8 << 20  #: bytes; each mail that is cleared away and each outcome takes some hundred


class Reserve:
    """The file `reserve` in the state directory."""

    def __init__(self, state: Path) -> None:
        self.path = state / "reserve"

    def keep_back(self) -> None:
        """Have it, if there is plenty of room."""
        disk = os.statvfs(self.path.parent)
        if self.path.exists() or disk.f_bavail * disk.f_frsize < 4 * SIZE:
            return
        try:
            with self.path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
        except OSError:  # somebody else was quicker, or there is no room for names: next time
            self.give_up()

    def give_up(self) -> bool:
        """Let it go; whether there was any."""
        with suppress(FileNotFoundError):
            self.path.unlink()
            return True
        return False
