"""
The files in a winmail.dat (MS-OXTNEF), as Outlook sends them to those it takes for its own kind.

Read where they lie, like the parts of a mail: no library we know of does so, and 41 bytes keep the usual one busy for
hours. Every number in the file is checked against what is there; nothing is counted on beyond that.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from watcher.limits import MIB, Limits
from watcher.mail.charset import codec_of, text_of
from watcher.mail.defects import Defects
from watcher.mail.mapi import STRING, UNICODE, Damaged, Property, Reader, properties
from watcher.mail.raw import Raw
from watcher.mail.rtf import decompressed_rtf
from watcher.mail.words import cleaned

__all__ = ["TNEF_TYPES", "Enclosed", "enclosed_files"]

#: Types under which a winmail.dat comes.
TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})

_SIGNATURE = 0x223E9F78

#: Attributes (MS-OXTNEF 2.1.3.4).
_BODY, _FILE_DATA, _FILE_TITLE = 0x800C, 0x800F, 0x8010
_FILE_BEGINS, _MESSAGE_PROPERTIES, _FILE_PROPERTIES, _CODE_PAGE = 0x9002, 0x9003, 0x9005, 0x9007

#: Properties (MS-OXPROPS).
_TEXT, _RTF, _HTML = 0x1000, 0x1009, 0x1013
_SHOWN_NAME, _CONTENT, _FILE_NAME, _LONG_NAME = 0x3001, 0x3701, 0x3704, 0x3707
_MIME_TYPE, _CONTENT_ID = 0x370E, 0x3712

#: Where the name of a file stands, the best first.
_NAMES = (_LONG_NAME, _FILE_TITLE, _FILE_NAME, _SHOWN_NAME)

#: Begins an object that is itself a message (IID_IMessage); a winmail.dat of its own follows.
_MESSAGE_OBJECT = bytes.fromhex("0703020000000000C000000000000046")

#: Messages within messages that are opened.
_DEPTH = 5

#: Attributes and properties of one file that are looked at.
_MOST = 100_000

#: Bytes of a text or name that are decoded.
_LONGEST_TEXT = MIB
_LONGEST_NAME = 1000

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Enclosed:
    """One file in a winmail.dat. Its own text comes as body.txt (UTF-8), body.html or body.rtf."""

    name: str | None  #: decoded, printable, as sent otherwise
    type: str  #: "application/octet-stream" if it names none
    content_id: str | None  #: without brackets
    body: bool  #: it is the message's own text, not a file that was attached
    pieces: Callable[[], Iterable[bytes]]  #: its bytes; each call begins anew


def enclosed_files(raw: Raw, limits: Limits, defects: Defects) -> Iterator[Enclosed]:
    """The files in a winmail.dat. What is damaged or too much is noted; what can be read still comes."""
    opened = _Opened(raw, defects, Reader(raw, (0, raw.size), iter(range(_MOST))))
    for number, file in enumerate(opened.message((0, raw.size), 0)):
        if number == limits.parts:
            defects.add(f"a winmail.dat with more than {limits.parts} files: the later ones are only in it")
            return
        yield file


@dataclass(frozen=True, slots=True)
class _Attribute:
    """One attribute and where its value lies."""

    name: int
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A winmail.dat with what reading it has cost and shown so far."""

    raw: Raw
    defects: Defects
    reader: Reader

    def message(self, span: tuple[int, int], depth: int) -> Iterator[Enclosed]:
        """What one message holds: its text, then its files. Those of a message in it stand among them."""
        own: list[_Attribute] = []
        files: list[list[_Attribute]] = []
        for attribute in self._readable(_attributes(self.reader.within(span))):
            if attribute.name == _FILE_BEGINS:
                files.append([])
            else:
                (files[-1] if files else own).append(attribute)
        pages = (self.reader.within(attribute.span) for attribute in own if attribute.name == _CODE_PAGE)
        charset = next((_charset(page.number(4)) for page in pages if page.left >= 4), "windows-1252")
        yield from self._texts(own, charset, depth)
        for attributes in files:
            yield from self._file(attributes, charset, depth)

    def _texts(self, attributes: list[_Attribute], charset: str, depth: int) -> Iterator[Enclosed]:
        found: dict[int, Property] = {}
        for attribute in attributes:
            if attribute.name == _BODY:
                found[_TEXT] = Property(_TEXT, STRING, attribute.span)
            elif attribute.name == _MESSAGE_PROPERTIES:
                found |= self._properties(attribute)
        if _TEXT in found:
            start, stop = found[_TEXT].span
            octets = self.raw[start : min(stop, start + _LONGEST_TEXT)]
            text = _decoded(octets, found[_TEXT].kind, charset).encode("utf-8", "replace")
            yield Enclosed("body.txt", "text/plain", None, depth == 0, lambda: (text,))
        if _HTML in found:
            yield Enclosed("body.html", "text/html", None, depth == 0, partial(self.raw.slices, *found[_HTML].span))
        if _RTF in found and depth == 0:  # unpacking is slow, so it is done once
            start, stop = found[_RTF].span
            packed = self.raw[start : min(stop, start + _LONGEST_TEXT)]
            unpacked = decompressed_rtf(packed, _LONGEST_TEXT)
            yield Enclosed("body.rtf", "application/rtf", None, True, lambda: (unpacked,))

    def _file(self, attributes: list[_Attribute], charset: str, depth: int) -> Iterator[Enclosed]:
        """One attachment. Its properties tell more than its attributes, and later ones more than earlier ones."""
        found: dict[int, Property] = {}
        for attribute in attributes:
            if attribute.name == _FILE_TITLE:
                found[_FILE_TITLE] = Property(_FILE_TITLE, STRING, attribute.span)
            elif attribute.name == _FILE_DATA:
                found[_CONTENT] = Property(_CONTENT, 0, attribute.span)
            elif attribute.name == _FILE_PROPERTIES:
                found |= self._properties(attribute)
        if _CONTENT not in found:
            return
        start, stop = found[_CONTENT].span
        inner = start + len(_MESSAGE_OBJECT)
        if depth < _DEPTH and self.raw[start : min(stop, inner)] == _MESSAGE_OBJECT:
            yield from self.message((inner, stop), depth + 1)
            return
        wanted = (*_NAMES, _MIME_TYPE, _CONTENT_ID)
        told = {name: _line(self.raw, found[name], charset) for name in wanted if name in found}
        yield Enclosed(
            name=next((told[name] for name in _NAMES if told.get(name)), None),
            type=told[_MIME_TYPE].lower() if "/" in told.get(_MIME_TYPE, "") else "application/octet-stream",
            content_id=told.get(_CONTENT_ID, "").strip("<>") or None,
            body=False,
            pieces=partial(self.raw.slices, start, stop),
        )

    def _properties(self, attribute: _Attribute) -> dict[int, Property]:
        rows = self._readable(properties(self.reader.within(attribute.span)))
        return {found.name: found for found in rows}

    def _readable(self, rows: Iterator[_Row]) -> Iterator[_Row]:
        """The rows up to where they are damaged."""
        try:
            yield from rows
        except Damaged:
            self.defects.add("a winmail.dat is damaged: what could be read was taken out of it")


def _attributes(reader: Reader) -> Iterator[_Attribute]:
    """The attributes in order (MS-OXTNEF 2.1.3). Raises Damaged."""
    if reader.number(4) != _SIGNATURE:
        raise Damaged
    reader.number(2)
    for _ in reader.rows(_MOST):
        level = reader.number(1) if reader.left >= 11 else 0
        if level not in (1, 2):  # the end, or something that was put behind it
            return
        name, _ = reader.number(2), reader.number(2)
        size = reader.number(4)
        yield _Attribute(name, reader.span(min(size, reader.left)))  # one that is cut off still tells something
        reader.number(2)


def _line(raw: Raw, found: Property, charset: str) -> str:
    start, stop = found.span
    return cleaned(_decoded(raw[start : min(stop, start + _LONGEST_NAME)], found.kind, charset)).strip()


def _decoded(octets: bytes, kind: int, charset: str) -> str:
    if kind == UNICODE:
        return octets.decode("utf-16-le", "replace").split("\0", 1)[0]
    return text_of(octets.split(b"\0", 1)[0], charset)


def _charset(code_page: int) -> str:
    """The label of a Windows code page."""
    label = "utf-8" if code_page == 65001 else f"cp{code_page}"
    return label if codec_of(label) else "windows-1252"
