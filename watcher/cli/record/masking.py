"""
A mail with its private words replaced, that comes apart into the same parts: boundaries, encodings, charsets stay.

What lies between the bodies is header lines and boundaries, gone through field by field. Pure: bytes in, bytes out.
"""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import pairwise

from watcher.cli.record.standins import Disguise
from watcher.errors import Unreadable
from watcher.limits import USUAL
from watcher.mail.addresses import lenient_addresses
from watcher.mail.charset import codec_of
from watcher.mail.defects import Defects
from watcher.mail.raw import Raw
from watcher.mail.tree import Part, leaves, whole
from watcher.mail.words import words_decoded

__all__ = ["masked"]

#: A header field: its name, and its value with the lines that continue it.
_FIELD = re.compile(rb"^([!-9;-~]+)([ \t]*:)((?:[^\r\n]|\r?\n[ \t])*)", re.MULTILINE)
_PEOPLE = frozenset(
    b"from to cc bcc reply-to sender resent-from resent-to resent-cc disposition-notification-to".split()
)
#: Fields that say how the mail is built, or when it was sent.
_KEPT = frozenset(
    b"date mime-version content-transfer-encoding auto-submitted precedence importance x-priority priority "
    b"content-language list-unsubscribe-post x-auto-response-suppress original-recipient-type action status".split()
)
_FREE = _PEOPLE | frozenset(b"subject comments keywords thread-topic organization diagnostic-code content-id".split())
_WORDS = re.compile(rb"=\?([\w.*-]+)\?([bBqQ])\?[^?\s]*\?=(?:\s*=\?\1\?\2\?[^?\s]*\?=)*")
_NAME = re.compile(rb"((?:file)?name\*?(?:\d\*?)?\s*=\s*\"?)([^\";\r\n]+)")
_LETTERS = re.compile(r"(?<!%)(?<!%.)[^\W_]+")
_UUENCODED = re.compile(rb"^(begin [0-7]{3,4} )([^\r\n]*)(\r?\n)(.*?)(^end\s*?$)", re.MULTILINE | re.DOTALL)
FILLER = b"filler "


def masked(raw: bytes, disguise: Disguise, *, keep_attachments: bool = False) -> bytes:
    """
    The mail with stand-ins. Attached files become filler of the same size, unless they are kept.

    Raises Unreadable for a mail of which not every part can be gone through.
    """
    mail = Raw(raw)
    defects = Defects(USUAL.defects)
    parts = sorted(leaves(whole(mail, USUAL, defects), USUAL, defects), key=lambda part: part.start)
    if any(part.raw is not mail for part in parts) or len(parts) >= USUAL.parts:
        raise Unreadable("it holds parts in encoded parts, or too many, which can't be masked")
    _learn(raw, disguise)
    spans = [(0, 0), *((part.start, part.stop) for part in parts), (len(raw), len(raw))]
    gaps = [_between(raw[before[1] : after[0]], disguise) for before, after in pairwise(spans)]
    bodies = [_body(part, disguise, keep_attachments=keep_attachments) for part in parts]
    return b"".join(piece for pair in zip(gaps, [*bodies, b""], strict=True) for piece in pair)


def _learn(raw: bytes, disguise: Disguise) -> None:
    """The people in all header fields, also of attached mails."""
    fields = (found[3] for found in _FIELD.finditer(raw) if found[1].lower() in _PEOPLE)
    people = [person for value in fields for person in lenient_addresses(_unfolded(value), None)]
    disguise.learn({person.name for person in people}, {person.address for person in people})


def _unfolded(value: bytes) -> bytes:
    return re.sub(rb"\r?\n(?=[ \t])", b"", value).strip()


def _decoded(value: bytes) -> str:
    return words_decoded(_unfolded(value))


# --- headers --------------------------------------------------------------------------------------------------------


def _between(gap: bytes, disguise: Disguise) -> bytes:
    """Header lines, boundaries, and what stands before and behind the parts."""
    return _FIELD.sub(lambda found: _field(found, disguise), gap)


def _field(found: re.Match[bytes], disguise: Disguise) -> bytes:
    name, colon, value = found.groups()
    kind = name.lower()
    if kind in _KEPT or name.startswith(b"--"):
        return found[0]
    if kind.startswith(b"content-") and kind != b"content-id":
        return name + colon + _NAME.sub(lambda one: one[1] + _file_name(one[2], disguise), value)
    change = disguise.text if kind in _FREE else disguise.trace
    value = _WORDS.sub(lambda words: _encoded_words(words, disguise), value)
    spared = re.split(rb"(=\?[^\s]+\?=)", value)  # what is encoded was done above
    return name + colon + b"".join(piece if piece.startswith(b"=?") else _changed(piece, change) for piece in spared)


def _changed(value: bytes, change: Callable[[str], str]) -> bytes:
    """UTF-8 or, where it is none, byte by byte."""
    try:
        return change(value.decode()).encode()
    except UnicodeDecodeError:
        return change(value.decode("latin-1")).encode("latin-1", "replace")


def _encoded_words(found: re.Match[bytes], disguise: Disguise) -> bytes:
    """Encoded words (RFC 2047) in a row, anew in the same charset and encoding."""
    charset, kind = found[1], found[2].upper()
    codec = codec_of(charset.decode("ascii")) or "utf-8"
    text = disguise.text(_decoded(found[0]))
    words = []
    for at in range(0, len(text), 12):  # 12 letters fit into the 75 bytes of a word in any charset
        data = text[at : at + 12].encode(codec, "replace")
        coded = base64.b64encode(data) if kind == b"B" else b"".join(b"=%02X" % byte for byte in data)
        words.append(b"=?" + charset + b"?" + kind + b"?" + coded + b"?=")
    return b"\r\n ".join(words)


def _file_name(name: bytes, disguise: Disguise) -> bytes:
    """Its letters, but for what stands behind the last dot, encoded words and escapes."""
    if name.startswith(b"=?"):
        return _WORDS.sub(lambda words: _encoded_words(words, disguise), name)
    stem, dot, end = name.rpartition(b".") if b"." in name else (name, b"", b"")
    return _changed(stem, lambda text: _LETTERS.sub(lambda word: disguise.shaped(word[0]), text)) + dot + end


# --- bodies ---------------------------------------------------------------------------------------------------------


def _body(part: Part, disguise: Disguise, *, keep_attachments: bool) -> bytes:
    """One leaf, in the encoding it has."""
    content, raw = part.content, part.raw[part.start : part.stop]
    if content.type in {"message/rfc822", "message/global"}:
        plain = b"".join(part.slices())
        return _coded(masked(plain, disguise, keep_attachments=keep_attachments), raw, content.encoding)
    if content.encoding == "uuencode":
        return raw if keep_attachments else _UUENCODED.sub(_empty_file, raw)
    is_file = content.disposition == "attachment" or (content.name is not None and content.type != "text/calendar")
    if content.is_message or content.type == "text/rfc822-headers":
        return _coded(_between(b"".join(part.slices()), disguise), raw, content.encoding)
    if content.type.startswith("text/") and not is_file:
        return _coded(_text(b"".join(part.slices()), content.charset, disguise), raw, content.encoding)
    if keep_attachments:
        return raw
    size = sum(map(len, part.slices()))
    if content.encoding in {"base64", "quoted-printable"}:
        return _coded((FILLER * (size // len(FILLER) + 1))[:size], raw, content.encoding)
    return re.sub(rb"[^\r\n]", b"x", raw)


def _text(data: bytes, charset: str | None, disguise: Disguise) -> bytes:
    """A text in its charset, or in one that gives back the same bytes."""
    data = _UUENCODED.sub(_empty_file, data)
    for codec in filter(None, (codec_of(charset), "utf-8", "gb18030", "latin-1")):
        try:
            text = data.decode(codec)
            if text.encode(codec) == data:
                return disguise.text(text).encode(codec, "replace")
        except UnicodeError:
            continue
    raise AssertionError  # latin-1 takes everything


def _empty_file(found: re.Match[bytes]) -> bytes:
    """A uuencoded file of zeros in as many bytes: the first letter of a line tells its length."""
    begin, _, newline, lines, end = found.groups()
    zeros = re.sub(rb"^([!-`])([^\r\n]*)", lambda line: line[1] + b"`" * len(line[2]), lines, flags=re.MULTILINE)
    return begin + b"file.bin" + newline + zeros + end


def _coded(data: bytes, before: bytes, encoding: str) -> bytes:
    """`data` encoded as `before` was, with its line ends."""
    newline = b"\r\n" if b"\r\n" in before or b"\n" not in before else b"\n"
    if encoding == "base64":
        lines = [base64.b64encode(data[at : at + 57]) for at in range(0, len(data), 57)]
        return newline.join(lines) + (newline if before.endswith(b"\n") else b"")
    if encoding == "quoted-printable":
        return binascii.b2a_qp(data, istext=True)
    return data
