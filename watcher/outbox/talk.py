"""The dialogue with a server, kept for people: what was said, without the secrets that were shown."""

import base64
import re
from collections.abc import Iterator

from watcher.imap.signals import printable

__all__ = ["Talk", "masked"]

LONGEST = 500  #: characters of one line
KEPT = 400  #: lines; a dialogue about more recipients loses its middle
MASK = "***"


def masked(line: str, secrets: frozenset[str]) -> str:
    """`line` without any of the secrets, as they are and in base64 at whatever place they begin."""
    for form in sorted({form for secret in secrets for form in forms(secret)}, key=len, reverse=True):
        line = line.replace(form, MASK)
    return line


def forms(secret: str) -> Iterator[str]:
    """How `secret` may stand in a text."""
    if not secret:
        return
    yield secret
    data = secret.encode()
    yield base64.b64encode(data).decode()
    # Within a longer text base64 depends on where the secret begins, modulo 3; its first and last letters on what is
    # around it. What is left of a short one would hide half of every other word.
    for before in range(3):
        inner = base64.b64encode(bytes(before) + data).decode().rstrip("=")[before and before + 1 : -1]
        if len(inner) >= 6:
            yield inner


class Talk:
    """Takes down each line; `lines` are safe to show."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.secrets: frozenset[str] = frozenset()

    def hide(self, *secrets: str) -> None:
        """Never show these, in no line before or after."""
        self.secrets |= {secret for secret in secrets if secret}
        self.lines = [masked(line, self.secrets) for line in self.lines]

    def client(self, line: str) -> None:
        """What we said."""
        self.take(f"C: {line}")

    def server(self, line: str) -> None:
        """What the server said."""
        self.take(f"S: {line}")

    def note(self, words: str) -> None:
        """What happened without words."""
        self.take(f"-- {words}")

    def take(self, line: str) -> None:
        self.lines.append(printable(masked(re.sub(r"[\r\n]+$", "", line), self.secrets), LONGEST))
        if len(self.lines) > KEPT:
            middle = KEPT // 2
            self.lines[middle : middle + 2] = ["-- (lines left out)"]

    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)
