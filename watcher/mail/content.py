"""What the Content-* fields of a part say: type, charset, boundary, disposition, name (RFC 2045, 2183, 2231)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from watcher.mail.charset import text_of
from watcher.mail.defects import Defects
from watcher.mail.header import Header
from watcher.mail.transfer import encoding_of
from watcher.mail.words import cleaned, words_decoded

__all__ = ["Content", "described"]

#: A parameter: its name and a quoted or plain value. Some mailers leave out the semicolon before it. In quotes a
#: backslash stands only before a quote or itself, as some write Windows paths there; quotes that are never closed, or
#: that go on behind the closing one, are part of the value. A run of semicolons or blanks is taken as a whole also if
#: no parameter follows, else looking for one from each of them would take quadratic time.
_PARAMETER = re.compile(
    rb"""(?:\A|;[\s;]*+|(?<!\s)\s++)(?:([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"(?=[\s;(]|\Z)|([^;]*)))?""", re.DOTALL
)
_VALUE = re.compile(rb"[^;]*")
_TYPE = re.compile(rb"[\w!#$&^.+-]+/[\w!#$&^.+-]+")
_ESCAPED = re.compile(rb'\\(["\\])')
_COMMENT = re.compile(rb"\([^()]*\)")

#: RFC 2231 3 and 4: name*0*, name*1, name*.
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?")

#: Bytes of the longest boundary; RFC 2046 5.1.1 allows 70.
_LONGEST_BOUNDARY = 2048


@dataclass(frozen=True, slots=True)
class Content:
    """What a part says about itself."""

    type: str  #: "text/plain", in lower case
    charset: str | None  #: as labelled
    boundaries: tuple[bytes, ...]  #: of a multipart: what its boundary may be, the likeliest first
    encoding: str  #: see `transfer.encoding_of`
    disposition: str  #: "inline", "attachment" or another word in lower case, "" if there is none
    name: str | None  #: decoded and printable, as sent otherwise
    content_id: str | None  #: without brackets

    @property
    def is_multipart(self) -> bool:
        return self.type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        return self.type.startswith("message/")


def described(header: Header, default: str, defects: Defects) -> Content:
    """Read the Content-* fields of a part whose type is `default` if it says nothing."""
    field = header.first("content-type") or b""
    parameters = _parameters(field)
    disposition = header.first("content-disposition") or b""
    aside = _parameters(disposition)
    encoding = encoding_of(header.first("content-transfer-encoding") or b"")
    if encoding is None:
        defects.add("unknown Content-Transfer-Encoding: the bytes are handed over as they are")
    identity = (header.first("content-id") or b"").strip(b"<> \t")
    charset = _plain(parameters, "charset")
    return Content(
        type=_type(field, default),
        charset=charset.decode("latin-1") if charset is not None else None,
        boundaries=_boundaries(_plain(parameters, "boundary")),
        encoding=encoding or "",
        disposition=_disposition(disposition),
        name=_name(aside, "filename", defects) or _name(parameters, "name", defects),
        content_id=words_decoded(identity) or None,
    )


def _type(field: bytes, default: str) -> str:
    value = _COMMENT.sub(b"", _VALUE.match(field)[0]).strip(b" \t\"'").lower()  # type: ignore[index]
    found = _TYPE.match(value)
    if found:
        return found[0].decode("ascii")
    # RFC 2045 5.2: what can't be understood is plain text; a lone "text" or "multipart" tells enough.
    lone = {b"html": "text/html", b"multipart": "multipart/mixed", b"message": "message/rfc822"}
    return lone.get(value.strip(b"/"), "text/plain") if value else default


def _disposition(field: bytes) -> str:
    """The first word, unless it is the name of a parameter already."""
    word, mark, _ = re.split(rb"([\s;=]|\Z)", field.strip(b" \t\"'"), maxsplit=1)
    return word.strip(b"\"'").decode("latin-1").lower() if mark != b"=" else ""


def _parameters(field: bytes) -> Mapping[str, bytes]:
    """All parameters, names in lower case; the first of a name counts."""
    found: dict[str, bytes] = {}
    for match in _PARAMETER.finditer(field):
        if match[1] is None:
            continue
        name = match[1].decode("latin-1").lower()
        value = match[2] if match[2] is not None else match[3].strip().strip(b'"')
        found.setdefault(name, _ESCAPED.sub(rb"\1", value))
    return found


def _boundaries(value: bytes | None) -> tuple[bytes, ...]:
    """A boundary folded within its quotes has lost its line end here; the blank of the folding may be part of it."""
    if not value or not value.strip() or len(value) > _LONGEST_BOUNDARY:
        return ()
    plain = value.rstrip()
    return tuple(dict.fromkeys((plain, plain.lstrip(), re.sub(rb"\s+", b"", plain), re.sub(rb"\s+", b" ", plain))))


def _name(parameters: Mapping[str, bytes], key: str, defects: Defects) -> str | None:
    """The file name under `key`. If it is given plain and in the form of RFC 2231, that form counts, as in clients."""
    plain = parameters.get(key)
    shown = words_decoded(plain).strip() if plain is not None else ""
    extended = _extended(parameters, key)
    if extended is None:
        return shown or None
    name = _text(extended)
    if shown and shown != name and shown.isascii() and name.isascii():
        defects.add("an attachment has two different file names: the extended one was taken")
    return name or shown or None


def _plain(parameters: Mapping[str, bytes], key: str) -> bytes | None:
    """A parameter that is no text for people, in whatever form it is written."""
    extended = _extended(parameters, key) if key not in parameters else None
    return extended.octets if extended else parameters.get(key)


@dataclass(frozen=True, slots=True)
class _Extended:
    """A value in RFC 2231 form: in numbered pieces, with a charset, or both."""

    octets: bytes
    charset: str | None
    encoded: bool  #: if not, there may be encoded words in it, as some mailers have them


def _extended(parameters: Mapping[str, bytes], key: str) -> _Extended | None:
    pieces: dict[int, tuple[bool, bytes]] = {}
    for name, value in parameters.items():
        section = _SECTION.fullmatch(name)
        if section and section[1] == key and (section[2] or section[3]):
            pieces.setdefault(int(section[2] or 0), (section[3] is not None, value))
    if not pieces:
        return None
    ordered = [pieces[number] for number in sorted(pieces)]
    charset, quote, rest = ordered[0][1].partition(b"'")
    if ordered[0][0] and quote and b"'" in rest:  # charset'language'value
        ordered[0] = (True, rest.partition(b"'")[2].strip(b'"'))
    else:
        charset = b""
    octets = b"".join(unquote_to_bytes(value) if encoded else value for encoded, value in ordered)
    return _Extended(octets, charset.decode("latin-1") or None, any(encoded for encoded, _ in ordered))


def _text(extended: _Extended) -> str:
    if not extended.encoded:
        return words_decoded(extended.octets).strip()
    return cleaned(text_of(extended.octets, extended.charset)).strip()
