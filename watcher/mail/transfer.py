"""Content-Transfer-Encodings (RFC 2045 6): slices of encoded bytes in, decoded bytes out, nothing held in between."""

import binascii
import re
from collections.abc import Iterable, Iterator

import pybase64

__all__ = ["base64_bytes", "decoded", "encoding_of", "uu_line"]

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))

#: RFC 2045 6.7 rules 3 and 5: blanks at a line's end are not part of the text, with "=" before them they join lines.
_SOFT_BREAK = re.compile(rb"=[ \t]*(?:\r*\n|\r)")
_BLANK_END = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n)")
_UU_BEGIN = re.compile(rb"begin(?:-base64)? [0-7]{3,4} ")

#: A line longer than this is cut, so that it is not held whole.
_LONGEST_LINE = 1 << 20

_ENCODINGS = {
    "7bit": "",
    "8bit": "",
    "binary": "",
    "base64": "base64",
    "quoted-printable": "quoted-printable",
    "uuencode": "uuencode",
    "x-uuencode": "uuencode",
    "uue": "uuencode",
    "x-uue": "uuencode",
}


def encoding_of(value: bytes) -> str | None:
    """
    The encoding that a header field names: "base64", "quoted-printable", "uuencode", or "" if the bytes are as they
    are; None if it names one that nobody knows.
    """
    words = re.split(rb"[\s;,(]+", value.strip(b" \t\r\n\"';"), maxsplit=1)
    name = words[0].decode("ascii", "replace").strip("\"'").lower()
    name = {"8-bit": "8bit", "7-bit": "7bit", "quotedprintable": "quoted-printable", "base-64": "base64"}.get(
        name, name
    )
    return "" if not name else _ENCODINGS.get(name)


def decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The decoded form of `pieces`, which are cut anywhere. Broken input gives what is readable of it."""
    match encoding:
        case "base64":
            return _base64(pieces)
        case "quoted-printable":
            return _quoted(pieces)
        case "uuencode":
            return _uuencoded(pieces)
        case _:
            return iter(pieces)


def base64_bytes(data: bytes) -> bytes:
    """All bytes of some base64, however broken or padded."""
    return b"".join(_base64((data,)))


def uu_line(line: bytes) -> bytes:
    """The bytes of one line of uuencode; a line that is none gives none."""
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders write more characters than the length at the line's start announces.
        length = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:length])
        except binascii.Error:
            return b""


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Padding ends a segment, not the text: some mailers encode block by block and join the results."""
    rest = b""
    for piece in pieces:
        rest += piece
        lines = rest[: rest.rfind(b"\n") + 1]
        if lines and (octets := _whole_lines(lines)) is not None:  # as nearly all mail has it
            yield octets
            rest = rest[len(lines) :]
            continue
        rest = rest.translate(None, _NOT_BASE64)
        if b"=" in rest:
            *closed, rest = rest.split(b"=")
            yield from (_segment(letters) for letters in closed if letters)
        whole = len(rest) & ~3
        if whole:
            yield binascii.a2b_base64(rest[:whole])
            rest = rest[whole:]
    rest = rest.translate(None, _NOT_BASE64)
    yield from (_segment(letters) for letters in rest.split(b"=") if letters)


def _whole_lines(lines: bytes) -> bytes | None:
    """The bytes of lines without padding that end where a group of four letters does, else None."""
    if b"=" in lines:
        return None
    try:
        return pybase64.b64decode(lines)  # what binascii would give, six times as fast
    except binascii.Error:
        return None


def _segment(letters: bytes) -> bytes:
    if len(letters) % 4 == 1:  # six bits are no byte
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _quoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        lines = rest + piece
        cut = max(lines.rfind(b"\n"), lines.rfind(b"\r", 0, -1)) + 1
        if cut == 0 and len(lines) > _LONGEST_LINE:
            cut = lines.rfind(b"=", -3) if b"=" in lines[-3:] else len(lines)
        rest = lines[cut:]
        yield _unquoted(lines[:cut])
    yield _unquoted(rest.removesuffix(b"="))


def _unquoted(lines: bytes) -> bytes:
    if b" \n" in lines or b" \r\n" in lines or b"\t\n" in lines or b"\t\r\n" in lines:
        lines = _BLANK_END.sub(b"", lines)
    return binascii.a2b_qp(_SOFT_BREAK.sub(b"", lines)) if b"=" in lines else lines


def _uuencoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    begun = False
    for line in _lines(pieces):
        if not begun:
            begun = _UU_BEGIN.match(line) is not None
        elif line.strip() == b"end":
            return
        elif line.strip():
            yield uu_line(line)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = re.split(rb"\r\n|\n|\r(?!\Z)", rest + piece)
        yield from lines
        rest = rest[:_LONGEST_LINE]
    yield rest
