r"""
How text of strangers (a server, a mail, a handler) reaches a terminal, a log, or a reason that is kept for them: what
prints stands as it is, all else as Python writes it, `\x1b` or `\u202e`. So it can't move a cursor, forge a line, turn
the direction of writing or hide a part of itself. Nobody else decides this. Pure.
"""

__all__ = ["lines", "one_line", "printable", "prints"]

#: Not "printable" for Python, but harmless within a text: tab, and the spaces of French and Chinese typography.
HARMLESS = "\t\u00a0\u202f\u3000"


def prints(text: str) -> bool:
    """Whether all of `text` can be shown as it is, on one line."""
    return text.isprintable()


def printable(text: bytes | str, limit: int = 200) -> str:
    r"""Each character of what should be one line already; a line end is shown as `\n`. At most `limit` characters."""
    return _escaped(_decoded(text[: 4 * limit])[:limit])[:limit]


def one_line(text: bytes | str, limit: int = 200) -> str:
    """The words of a text of any layout, one blank between two. At most `limit` characters, "…" the last of a cut."""
    line = _escaped(" ".join(_decoded(text).split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def lines(text: bytes | str) -> str:
    """All of `text`, with its line ends and tabs."""
    return "\n".join(_escaped(line, HARMLESS) for line in _decoded(text).split("\n"))


def _decoded(text: bytes | str) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")


def _escaped(text: str, harmless: str = "") -> str:
    if prints(text):
        return text
    return "".join(c if c.isprintable() or c in harmless else c.encode("unicode_escape").decode("ascii") for c in text)
