"""What a handler prints: the first and the last part is kept, and made safe to show."""

__all__ = ["KEPT", "Capture", "one_line", "printable"]

#: Bytes kept of each end.
KEPT = 32 * 1024

#: Not "printable" for Python, but harmless: line end, tab, and the spaces of French and Chinese typography.
HARMLESS = frozenset("\n\t\u00a0\u202f\u3000")


def printable(text: str) -> str:
    r"""Text that can't move a cursor, forge a line or hide a part of itself: the rest stands as `\x1b`, `\u202e`."""
    return "".join(line if line.isprintable() else _escaped(line) for line in text.splitlines(keepends=True))


def one_line(text: str, limit: int = 200) -> str:
    """Printable text of one line, at most `limit` characters."""
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


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
        whole = (self._head + gap + self._tail).replace(b"\r\n", b"\n")
        return printable(whole.decode("utf-8", "backslashreplace"))


def _escaped(line: str) -> str:
    return "".join(
        char if char.isprintable() or char in HARMLESS else char.encode("unicode_escape").decode() for char in line
    )
