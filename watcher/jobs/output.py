"""What a handler prints: the first and the last part is kept, and made safe to show."""

from watcher.printing import lines

__all__ = ["KEPT", "Capture"]

#: Bytes kept of each end.
KEPT = 32 * 1024


class Capture:
    """Takes all the output there is, in bounded memory."""

    def __init__(self) -> None:
        self.total = 0  #: bytes printed so far
        self._head = b""
        self._tail = b""

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = KEPT - len(self._head)
        self._head += data[:room]
        self._tail = (self._tail + data[room:])[-KEPT:]

    def text(self) -> str:
        """What was kept, printable; a line in brackets stands for what was left out."""
        left_out = self.total - len(self._head) - len(self._tail)
        gap = f"\n[{left_out} bytes left out]\n".encode() if left_out else b""
        return lines((self._head + gap + self._tail).replace(b"\r\n", b"\n"))
