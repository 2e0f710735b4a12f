"""
Bytes to text: which codec reads them, whatever the mail says.

A label counts for what mailers mean by it: the superset that Windows or the web puts in its place. Only codecs that
stand in a list are ever used, as Python knows some that are no charsets or take quadratic time (punycode, idna).
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import chardet

__all__ = ["Reading", "codec_of", "reading", "text_of"]

#: What mailers mean by a label, by the name that Python gives to its codec.
_SUPERSETS = {
    "ascii": "utf-8",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
    "iso2022_jp_2": "iso2022_jp_2",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "shift_jis": "cp932",
    "tis-620": "cp874",
    "utf-8-sig": "utf-8",
}

#: Labels that Python does not know or takes for another charset, written without anything but letters and digits.
_ALIASES = {
    "7bit": "ascii",
    "8bit": "ascii",
    "ansix341968": "ascii",
    "chinesebig5": "big5",
    "cngb": "gb18030",
    "cp950": "big5hkscs",
    "gb231280": "gb18030",
    "iso88598e": "iso8859-8",
    "iso88598i": "iso8859-8",
    "iso88596e": "iso8859-6",
    "iso88596i": "iso8859-6",
    "iso2022jpms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "koi8": "koi8-r",
    "koi8ru": "koi8-u",
    "ksc5601": "cp949",
    "ksc56011987": "cp949",
    "ksc56011989": "cp949",
    "latin1": "cp1252",
    "mac": "mac-roman",
    "macintosh": "mac-roman",
    "maccentraleurope": "mac-latin2",
    "ms936": "gb18030",
    "sjis": "cp932",
    "sjiswin": "cp932",
    "ujis": "euc_jp",
    "unicode11utf7": "utf-7",
    "unicode11utf8": "utf-8",
    "unicode20utf8": "utf-8",
    "utf": "utf-8",
    "uhc": "cp949",
    "visualiso88598": "iso8859-8",
    "windows31j": "cp932",
    "windows874": "cp874",
    "windows936": "gb18030",
    "windows949": "cp949",
    "windows950": "big5hkscs",
}

_ALLOWED = frozenset(
    """ascii big5 big5hkscs cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865
    cp866 cp869 cp874 cp932 cp949 cp950 cp1125 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    euc_jis_2004 euc_jisx0213 euc_jp euc_kr gb18030 gb2312 gbk hp-roman8 hz iso2022_jp iso2022_jp_1 iso2022_jp_2
    iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6
    iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16 johab koi8-r koi8-t
    koi8-u kz1048 mac-cyrillic mac-greek mac-iceland mac-latin2 mac-roman mac-turkish ptcp154 shift_jis shift_jis_2004
    shift_jisx0213 tis-620 utf-16 utf-16-be utf-16-le utf-32 utf-32-be utf-32-le utf-7 utf-8 utf-8-sig""".split()  # noqa: SIM905 - a list would take a page
)

_LATIN = frozenset({"cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "utf-8"})
_MULTIBYTE = frozenset({"big5hkscs", "cp932", "cp949", "euc_jis_2004", "euc_kr", "gb18030", "hz", "johab"})

#: Bytes of the longest label that is looked up.
_LABEL = 60

#: With at least so many good letters for a bad one a declared charset is believed, and the bad ones are marked.
_GOOD_PER_BAD = 4

_ORDER_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
_ASCII = re.compile(r"[\0-\x7f]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_HIGH_IN_ASCII = re.compile(rb"[A-Za-z][\x80-\xff]{1,2}(?![\x80-\xff])|(?<![\x80-\xff])[\x80-\xff]{1,2}[A-Za-z]")

#: ISO 2022 announces its charsets by these; RFC 1468, RFC 1557.
_KOREAN_ESCAPE = b"\x1b$)C"
_JAPANESE_ESCAPE = re.compile(rb"\x1b\$[@B]|\x1b\$\([DOPQ]|\x1b\([JI]")


@dataclass(frozen=True, slots=True)
class Reading:
    """How some bytes become text."""

    codec: str  #: Python's name
    errors: str = "strict"  #: "replace" if some bytes are no letters of that codec
    remark: str | None = None  #: what the mail had wrong about it, in words


@lru_cache
def codec_of(label: str | None) -> str | None:
    """Python's name of the codec that a charset label stands for; None if there is none, or none that we use."""
    if not label or len(label) > _LABEL or not label.isascii():
        return None
    plain = re.sub(r"[^a-z0-9]", "", label.lower())
    plain = plain.removeprefix("charset").removeprefix("x") if not plain.startswith("xm") else plain[1:]
    name = _ALIASES.get(plain) or _looked_up(label.strip("\0 \t\"'=;.,").lower()) or _looked_up(plain)
    return _SUPERSETS.get(name, name) if name in _ALLOWED else None


def text_of(data: bytes, label: str | None = None, sample: int = 4096) -> str:
    """A short text, such as a header field or a file name. Bytes that no codec explains come out as U+FFFD."""
    if b"\x1b" not in data and (codec_of(label) == "utf-8" or (label is None and data.isascii())):
        with suppress(UnicodeDecodeError):  # as nearly all of them are, and then `reading` finds nothing else
            return data.decode("utf-8")
    found = reading(lambda: (data,), label, sample=sample)
    return data.decode(found.codec, found.errors)


def reading(
    pieces: Callable[[], Iterable[bytes]], label: str | None, *, hint: str | None = None, sample: int
) -> Reading:
    """
    How the text that `pieces()` gives is to be read. `label` is the charset the mail declares, `hint` one that the text
    itself names; neither is believed against the bytes. The first `sample` bytes decide where a guess is needed.
    """
    start = _beginning(pieces(), sample)
    declared = codec_of(label)
    if declared and not _lies(declared, start):
        if _fits(pieces, declared):
            return Reading(declared)
        if declared == "cp1252" and not _fits(pieces, "utf-8"):  # the five bytes that cp1252 leaves out
            return Reading("latin-1")
        if declared != "cp1252" and _mostly(pieces, declared):
            return Reading(declared, "replace", "some bytes are no letters of the declared charset: marked with U+FFFD")
    codec = next(codec for codec in _candidates(start, hint) if codec and _fits(pieces, codec))
    if not label:
        return Reading(codec)
    fault = "is unknown" if declared is None else "does not fit the text"
    return Reading(codec, remark=f"charset {fault}: read as {codec}")


def _candidates(start: bytes, hint: str | None) -> Iterator[str | None]:
    """The codecs that a text without a true label may have, the surest first; the last one can read anything."""
    yield _wide(start)
    yield _escaped(start)
    yield "utf-8"
    yield codec_of(hint)
    yield _guessed(start)
    yield "cp1252"
    yield "latin-1"


def _looked_up(label: str) -> str | None:
    try:
        return codecs.lookup(label).name
    except (LookupError, ValueError):
        return None


def _beginning(pieces: Iterable[bytes], size: int) -> bytes:
    start = b""
    for piece in pieces:
        start += piece[: size - len(start)]
        if len(start) >= size:
            break
    return start


def _lies(codec: str, start: bytes) -> bool:
    """Bytes of which the declared codec would make something else: no UTF-16 at all, or ISO 2022 in ASCII."""
    if codec in _ORDER_MARKS:
        return not start.startswith(_ORDER_MARKS[codec])
    if codec.startswith(("utf-16", "utf-32")):
        return b"\0" not in start
    return _escaped(start) is not None and not codec.startswith(("iso2022", "hz"))


def _fits(pieces: Callable[[], Iterable[bytes]], codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    try:
        for piece in pieces():
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _mostly(pieces: Callable[[], Iterable[bytes]], codec: str) -> bool:
    """Are there by far more letters than bytes that are none? Plain letters don't count: all charsets have them."""
    decoder = codecs.getincrementaldecoder(codec)("replace")
    bad = good = 0
    try:
        for piece in chain(pieces(), (None,)):
            text = decoder.decode(piece) if piece is not None else decoder.decode(b"", final=True)
            missed = text.count("\ufffd")
            bad += missed
            good += len(text) - missed - len(_ASCII.findall(text))
    except UnicodeError:  # some codecs give up even so
        return False
    return bad > 0 and good >= _GOOD_PER_BAD * bad


def _wide(start: bytes) -> str | None:
    """UTF-16, by its mark or by the empty halves of plain letters."""
    if start.startswith(_ORDER_MARKS["utf-16"]):
        return "utf-16"
    half = len(start) // 2
    even, odd = start[::2].count(0), start[1::2].count(0)
    if 3 * max(even, odd) < half or 8 * min(even, odd) > half or not half:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _escaped(start: bytes) -> str | None:
    if b"\x1b" not in start:
        return None
    if _KOREAN_ESCAPE in start:
        return "iso2022_kr"
    return "iso2022_jp_ext" if _JAPANESE_ESCAPE.search(start) else None


def _guessed(start: bytes) -> str | None:
    codec = codec_of(chardet.detect(start, encoding_era=chardet.EncodingEra.MODERN_WEB, compat_names=False)["encoding"])
    if codec is None or codec in _LATIN or codec in _MULTIBYTE:
        return codec
    # A few strange letters within ASCII words are accents, whatever the statistics of so little text say.
    accents = 2 * len(_HIGH_IN_ASCII.findall(start)) >= len(_HIGH.findall(start))
    return None if accents else codec
