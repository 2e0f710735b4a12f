"""Reply lines of the server taken apart. Pure."""

import re
from dataclasses import dataclass

from watcher.printing import printable

__all__ = ["Reply", "last_words", "reply"]

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
