"""Texts of format=flowed (RFC 3676): lines that end in a blank go on in the next one."""

from collections.abc import Iterator

__all__ = ["paragraphs"]

#: RFC 3676 4.3: it ends in a blank and does not flow.
_SIGNATURE = "-- "


def paragraphs(text: str, *, delsp: bool) -> str:
    """`text` with each paragraph on one line, behind the marks of its quote. `delsp`: the blank is not part of it."""
    return "\n".join(_joined(text.split("\n"), delsp=delsp))


def _joined(lines: list[str], *, delsp: bool) -> Iterator[str]:
    pieces: list[str] = []  # of the paragraph that goes on
    depth = 0
    for line in lines:
        content = line.lstrip(">")
        quotes = len(line) - len(content)
        content = content.removeprefix(" ")  # RFC 3676 4.4: stuffed, so that it is no quote
        if pieces and (quotes != depth or content in {"", _SIGNATURE}):
            yield _quoted(pieces, depth)
            pieces = []
        depth = quotes
        flows = content.endswith(" ") and content != _SIGNATURE
        pieces.append(content.removesuffix(" ") if flows and delsp else content)
        if not flows:
            yield _quoted(pieces, depth)
            pieces = []
    if pieces:
        yield _quoted(pieces, depth)


def _quoted(pieces: list[str], depth: int) -> str:
    return f"{'>' * depth} {''.join(pieces)}" if depth else "".join(pieces)
