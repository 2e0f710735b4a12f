"""The dialogue with a server, kept for people: what was said, without the secrets that were shown."""

import re

from watcher.config.masking import mask
from watcher.config.secret import Secret
from watcher.printing import printable

__all__ = ["Talk"]

LONGEST = 500  #: characters of one line
KEPT = 400  #: lines; a dialogue about more recipients loses its middle


class Talk:
    """Takes down each line; `lines` are safe to show."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.hidden: list[Secret] = []  #: masked as long as this dialogue goes on, besides the secrets known anyway

    def hide(self, *secrets: str) -> None:
        """Never show these."""
        self.hidden += [Secret(secret) for secret in secrets if secret]

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
        self.lines.append(printable(mask(re.sub(r"[\r\n]+$", "", line)), LONGEST))
        if len(self.lines) > KEPT:
            middle = KEPT // 2
            self.lines[middle : middle + 2] = ["-- (lines left out)"]

    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)
