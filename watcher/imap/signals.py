"""What the server's words mean: reply lines taken apart, and whether a refusal may pass by itself. All pure."""

import re
from dataclasses import dataclass

__all__ = ["Reply", "passing", "printable", "reply"]

_REPLY = re.compile(
    rb"\S+ +(?P<status>OK|NO|BAD|BYE|PREAUTH)\b *(?:\[(?P<code>[^\]\s]+)[^\]]*\])?(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)

#: Response codes that blame the server or the moment, not what was asked (RFC 5530 section 3, RFC 9051 section 7.1).
_PASSING_CODES = frozenset({"CORRUPTION", "INUSE", "LIMIT", "OVERQUOTA", "SERVERBUG", "THROTTLED", "UNAVAILABLE"})

#: The same from servers that give no code. Only words that can't be about a wrong password.
_PASSING_TEXT = re.compile(
    r"too many (simultaneous |concurrent |open )?(connections|sessions)|throttl|temporar|try again|unavailable"
    r"|not connected",
    re.IGNORECASE,
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


def passing(refusal: Reply) -> bool:
    """Whether the same request may well succeed later, unchanged: then the link is dropped and tried again."""
    return refusal.code in _PASSING_CODES or _PASSING_TEXT.search(refusal.text) is not None


def printable(text: bytes | str, limit: int = 200) -> str:
    """Words of a stranger made safe for one line of a log or terminal: escapes for all that does not print, cut off."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", "backslashreplace")
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:limit])
    return safe[:limit]
