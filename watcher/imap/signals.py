"""Reply lines of the server taken apart, and its words made safe to show. Pure."""

import re
from dataclasses import dataclass

__all__ = ["Reply", "last_words", "printable", "reply"]

_REPLY = re.compile(
    rb"\S+ +(?P<status>OK|NO|BAD|BYE|PREAUTH)\b *(?:\[(?P<code>[^\]\s]+)[^\]]*\])?(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One status line of the server."""

    status: str  #: OK, NO, BAD, BYE or PREAUTH
    code: str  #: the word in brackets, in upper case, "" if there is none
    text: str  #: the words after it, printable, at most 200 characters

    def __str__(self) -> str:
        return self.text or self.code or self.status


def reply(line: bytes) -> Reply | None:
    """The status line `line` (tagged or not) taken apart; None if it is none."""
    found = _REPLY.match(line)
    if found is None:
        return None
    code = printable(found["code"] or b"").upper()
    return Reply(found["status"].decode("ascii").upper(), code, printable(found["text"].strip()))


def last_words(line: bytes) -> Reply:
    """The same of a tagged line or a BYE. One that is no IMAP counts as a BYE: nothing good can follow it."""
    return reply(line) or Reply("BYE", "", f"unexpected words: {printable(line.strip())}")


def printable(text: bytes | str, limit: int = 200) -> str:
    """Words of a stranger made safe for one line of a log or terminal: escapes for all that does not print, cut off."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text[:limit]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:limit])
    return safe[:limit]
