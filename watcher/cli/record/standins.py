"""
What stands in the place of private words: of the same shape, and the same for the same word throughout a recording.

Pure: text in, text out. What is no address, link, long number, token or known name stays as it is.
"""

import hmac
import re
from collections.abc import Callable, Collection

__all__ = ["Disguise"]

_LOCAL = r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}"
_DOMAIN = r"(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}"
_LINK = re.compile(rf"(?i:\b(https?|ftp)://)({_DOMAIN}|[^\s/<>\"']+)([^\s<>\"']*)")
_ADDRESS = re.compile(rf"(?<![\w.])({_LOCAL})@({_DOMAIN})(?![\w-])")
_BARE_DOMAIN = re.compile(rf"(?<![\w.@-])({_DOMAIN})(?![\w-])")
_IPV4 = re.compile(r"(?<![\d.])(?!192\.0\.2\.)\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
#: Phone, account and card numbers; a date such as 2026-11-21 is none.
_NUMBER = re.compile(r"(?<![\w.-])\+?(?!\d{4}-\d\d-\d\d\b)\d(?:[ ()/.-]{0,2}\d){6,24}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
#: Long runs with a digit in them, and very long ones: keys, session ids, signatures.
_TOKEN = re.compile(r"(?<![\w+/=-])(?=[\w+/-]*\d)[\w+/-]{16,}={0,2}|(?<![\w+/=-])[A-Za-z0-9+/_-]{32,}={0,2}")
_WORD = re.compile(r"\w+(?:-\w+)*")

#: Names that tell of no person.
_COMMON = frozenset(
    (  # noqa: SIM905 - reads better than fifty quotes
        "mail post info office support sales service team admin contact hello news newsletter noreply reply bounce "
        "bounces list lists daemon mailer postmaster webmaster the and for von van der dos del"
    ).split()
)

#: Letters that each usual charset of their language has.
_POOLS = (
    ("a", "z", "abcdefghijklmnopqrstuvwxyz"),
    ("A", "Z", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("0", "9", "0123456789"),
    ("\u0430", "\u044f", "".join(map(chr, range(0x430, 0x450)))),  # Cyrillic
    ("\u0410", "\u042f", "".join(map(chr, range(0x410, 0x430)))),
    ("\u03b1", "\u03c9", "αβγδεζηθικλμνξπρστυφχψω"),
    ("\u3041", "\u3096", "あいうえおかきくけこさしすせそたちつてと"),
    ("\u30a1", "\u30fa", "アイウエオカキクケコサシスセソタチツテト"),
    ("\u4e00", "\u9fff", "的一是在不有和人中大上我以要他"),
    ("\uac00", "\ud7a3", "가나다라마바사아자차카타파하"),
)


class Disguise:
    """Stand-ins by a secret that is forgotten with it, so that nobody can find out what a word was."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._names: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, names: Collection[str], addresses: Collection[str]) -> None:
        """Hide the words of these names, and of the local parts of these addresses, wherever they stand."""
        words = [word for name in names for word in _WORD.findall(name)]
        words += [word for one in addresses for word in re.findall(r"[^\W\d_]{3,}", one.partition("@")[0])]
        new = {word.casefold() for word in words if len(word) > 1 and not word.isdecimal()} - _COMMON
        self._names |= new
        every = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(every)})(?![^\W_])", re.IGNORECASE) if every else None

    def text(self, text: str) -> str:
        """Free text, also HTML."""
        text = _LINK.sub(self._link, text)
        text = _ADDRESS.sub(self._address, text)
        for pattern in (_IBAN, _TOKEN, _NUMBER):
            text = pattern.sub(self._plain, text)
        return self.names(text)

    def trace(self, text: str) -> str:
        """A field that servers write: also each host, and each network address; numbers stay, as dates stand there."""
        text = _ADDRESS.sub(self._address, text)
        text = _BARE_DOMAIN.sub(lambda found: self.domain(found[1]), text)
        text = _IPV4.sub(lambda found: f"192.0.2.{self._stream(found[0])(0) % 254 + 1}", text)
        return self.names(_TOKEN.sub(self._plain, text))

    def names(self, text: str) -> str:
        """The names that were learnt. Han and kana are written without spaces, so they are found within words."""
        for name in self._names:
            if not name.isascii() and re.search(r"[\u3040-\u9fff\uac00-\ud7a3]", name):
                text = text.replace(name, self.shaped(name))
        return self._pattern.sub(self._plain, text) if self._pattern else text

    def domain(self, name: str) -> str:
        """Under .example, where nobody is (RFC 2606), label by label: what was below it stays below it."""
        labels = name.lower().split(".")
        if labels[-1] in {"example", "invalid", "test"}:
            return name
        return ".".join([*(self.shaped(label) for label in labels[:-1]), "example"])

    def shaped(self, word: str) -> str:
        """Letters for letters, digits for digits, in the case of `word`; all else stays."""
        letter = self._stream(word.casefold())
        return "".join(_like(char, letter(place)) for place, char in enumerate(word))

    def _link(self, found: re.Match[str]) -> str:
        host = self.domain(found[2]) if re.fullmatch(_DOMAIN, found[2]) else self.shaped(found[2])
        path = re.sub(r"(?<!%)(?<!&)\b[^\W_]+", lambda part: self.shaped(part[0]), found[3])
        return f"{found[1]}://{host}{path}"

    def _address(self, found: re.Match[str]) -> str:
        return f"{self.names(found[1]) if self._known(found[1]) else self.shaped(found[1])}@{self.domain(found[2])}"

    def _known(self, local: str) -> bool:
        """Whether its words are names, which stand in the text as well, and are to be the same there."""
        return all(word.casefold() in self._names | _COMMON for word in re.findall(r"[^\W_]+", local))

    def _plain(self, found: re.Match[str]) -> str:
        return self.shaped(found[0])

    def _stream(self, word: str) -> Callable[[int], int]:
        """Numbers that follow from the word and the secret."""
        digest = hmac.digest(self._secret, word.encode("utf-8", "surrogatepass"), "sha512")
        return lambda place: digest[place % len(digest)] + place // len(digest)


def _like(char: str, number: int) -> str:
    for first, last, pool in _POOLS:
        if first <= char <= last:
            return pool[number % len(pool)]
    return char
