"""Text in header fields: encoded words (RFC 2047), raw octets, and what of it may be handed on."""

import binascii
import re

from watcher.mail.charset import codec_of, text_of
from watcher.mail.transfer import base64_bytes
from watcher.printing import prints

__all__ = ["cleaned", "legible", "unfolded", "words_decoded"]

#: RFC 2047 2. Mailers also write raw octets, blanks and question marks into the words, and make them longer than 75.
_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([BbQq])\?([^?]*|[^\r\n]{0,1000}?)\?=", re.DOTALL)

_FOLD = re.compile(rb"(?:\r*\n|\r)(?=[ \t])")

_BLANKS = dict.fromkeys([*b"\t\n\r\v\f", 0x85, 0x2028, 0x2029], " ")
_GONE = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
)
_NOT_PRINTABLE = _GONE | _BLANKS
_SURROGATE = re.compile("[\ud800-\udfff]")


def cleaned(text: str) -> str:
    """`text` on one line, without control characters, marks that turn the direction of writing, or half characters."""
    if prints(text):
        return text
    return _SURROGATE.sub("\ufffd", text.translate(_NOT_PRINTABLE))


def legible(text: str) -> str:
    """`text` of a body, as sent but for half characters, which no UTF-8 file can hold."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def unfolded(value: bytes) -> bytes:
    """The value of a header field on one line (RFC 5322 2.2.3)."""
    return _FOLD.sub(b"", value).strip(b" \t\r\n")


def words_decoded(value: bytes, charset: str | None = None) -> str:
    """
    An unfolded value with its encoded words decoded, printable. Raw octets are read as UTF-8, else as `charset`, else
    by a guess. Characters split between words are joined, as senders split them although RFC 2047 5 forbids it.
    """
    if b"=?" not in value:
        return cleaned(_octets(value, charset))
    texts = []
    run = _Run()
    last = 0
    for match in _WORD.finditer(value):
        between = value[last : match.start()]
        label = match[1].decode("latin-1").split("*", 1)[0].lower()  # RFC 2231 5: a language may follow
        method = match[2].upper()
        if between.strip(b" \t") or not run.follows(label, method):
            texts.append(run.text())
            if between.strip(b" \t") or last == 0:
                texts.append(_octets(between, charset))
            run = _Run(label, method)
        run.add(match[3])
        last = match.end()
    texts += (run.text(), _octets(value[last:], charset))
    return cleaned("".join(texts))


class _Run:
    """Neighbouring encoded words of one charset and one encoding."""

    def __init__(self, label: str = "", method: bytes = b"") -> None:
        self._label = label
        self._method = method
        self._words: list[bytes] = []

    def follows(self, label: str, method: bytes) -> bool:
        return (self._label, self._method) == (label, method)

    def add(self, word: bytes) -> None:
        self._words.append(word)

    def text(self) -> str:
        if not self._words:
            return ""
        if self._method == b"B":
            octets = base64_bytes(b"".join(self._words))
        else:
            octets = binascii.a2b_qp(b"".join(self._words), header=True)
        return text_of(octets, self._label if codec_of(self._label) else None)


def _octets(value: bytes, charset: str | None) -> str:
    if value.isascii():
        return value.decode("ascii") if b"\x1b" not in value else text_of(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return text_of(value, charset if codec_of(charset) not in (None, "utf-8") else None)
