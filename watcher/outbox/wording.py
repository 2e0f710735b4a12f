"""What may go on the wire as a mail: CRLF at the end of each line and nowhere else, no line too long, no NUL. Pure."""

from collections.abc import Iterable, Iterator

from watcher.outbox.enclosures import LetterRefused

__all__ = ["LONGEST_LINE", "check", "is_plain"]

LONGEST_LINE = 998  #: RFC 5322 2.1.1, without CRLF


def check(mail: Iterable[bytes]) -> None:
    """Raises LetterRefused if a server may read `mail`, in pieces that are cut anywhere, otherwise than it is meant."""
    for lines in whole_lines(mail):
        if flaw := flaw_of(lines):
            raise LetterRefused(f"the mail {flaw}")


def is_plain(mail: Iterable[bytes]) -> bool:
    """Whether a mail can stand within another as it is; one that can't is enclosed as a file, byte by byte."""
    begun = False
    for lines in whole_lines(mail):
        # The line that an mbox file puts before a mail is no part of it, and readers differ about it.
        if flaw_of(lines) or not lines.isascii() or (not begun and lines.startswith(b"From ")):
            return False
        begun = True
    return True


def whole_lines(mail: Iterable[bytes]) -> Iterator[bytes]:
    """The same in pieces that end where a line does, or within one that is too long anyway."""
    rest = b""
    for piece in mail:
        held = rest + piece
        end = held.rfind(b"\n") + 1 or (len(held) if len(held) > LONGEST_LINE + 2 else 0)
        if end:
            yield held[:end]
        rest = held[end:]
    if rest:
        yield rest


def flaw_of(lines: bytes) -> str:
    """What is wrong with these lines, in words; "" if nothing is."""
    if not lines.count(b"\r\n") == lines.count(b"\r") == lines.count(b"\n"):
        return "holds a line end that is not CRLF"
    if b"\0" in lines:
        return "holds a NUL, which no mail may (RFC 5322 2.2)"
    if has_long_line(lines):
        return f"has a line of more than {LONGEST_LINE} bytes"
    return ""


def has_long_line(lines: bytes) -> bool:
    """Without a list of all lines: a mail may have a million."""
    at, end = 0, len(lines)
    while end - at > LONGEST_LINE:
        at = lines.rfind(b"\r\n", at, at + LONGEST_LINE + 2) + 2
        if at == 1:
            return True
    return False
