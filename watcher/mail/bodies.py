"""The texts of a mail: its plain and HTML parts as UTF-8 files."""

import codecs
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from watcher.limits import Limits
from watcher.mail.charset import reading
from watcher.mail.defects import Defects
from watcher.mail.folder import OpenFolder
from watcher.mail.htmltext import text_of_html
from watcher.mail.words import legible

__all__ = ["Bodies", "Text", "write_bodies"]

_META_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_CID = re.compile(r"""cid:([^"'<>\s)\\]{1,200})""", re.IGNORECASE)

#: Letters by which a reference may stand across two pieces of a text.
_LONGEST_CID = 250


@dataclass(frozen=True, slots=True)
class Text:
    """One text part."""

    html: bool
    charset: str | None  #: as labelled
    pieces: Callable[[], Iterable[bytes]]  #: its octets; each call begins anew


@dataclass(frozen=True, slots=True)
class Bodies:
    """What was written."""

    text: str | None  #: "body.txt" if there is one
    html: str | None  #: "body.html" if there is one
    shown: frozenset[str]  #: Content-IDs that the HTML refers to


def write_bodies(
    folder: OpenFolder, texts: list[Text], identities: frozenset[str], limits: Limits, defects: Defects
) -> Bodies:
    """
    Write body.txt and body.html: of several parts one after another, a blank line between. LF ends each line. A mail
    that has HTML alone gets a text made of it. `identities` are the Content-IDs of its other parts.
    """
    plain = _Body([text for text in texts if not text.html], identities, limits, defects)
    html = _Body([text for text in texts if text.html], identities, limits, defects)
    html.write(folder, "body.html")
    plain.write(folder, "body.txt")
    if html.exists and not plain.exists:
        with folder.body("body.txt") as file:
            file.write(text_of_html(html.beginning, defects).encode())
        if html.cut:
            defects.add(f"HTML over {limits.html} characters: the text was made from its beginning")
    return Bodies(
        text="body.txt" if plain.exists or html.exists else None,
        html="body.html" if html.exists else None,
        shown=frozenset(html.shown),
    )


class _Body:
    """Texts of one kind, written into one file."""

    def __init__(self, texts: list[Text], identities: frozenset[str], limits: Limits, defects: Defects) -> None:
        self._texts = texts
        self._identities = identities
        self._seam = ""
        self._limits = limits
        self._defects = defects
        self.exists = bool(texts)
        self.beginning = ""  #: as much of the HTML as a text is made of
        self.cut = False
        self.shown: set[str] = set()

    def write(self, folder: OpenFolder, name: str) -> None:
        if not self.exists:
            return
        with folder.body(name) as file:
            for piece in _joined(self._read(text) for text in self._texts):
                file.write(piece.encode())

    def _read(self, text: Text) -> Iterator[str]:
        hint = _META_CHARSET.search(next(iter(text.pieces()), b"")[:2048]) if text.html else None
        label = hint[1].decode("ascii", "replace") if hint else None
        found = reading(text.pieces, text.charset, hint=label, sample=self._limits.sample)
        if found.remark:
            self._defects.add(found.remark)
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(found.codec)(found.errors), translate=True)
        mark = "\ufeff"  # a byte order mark is part of the encoding, not of the text
        for octets in text.pieces():
            yield self._noted(text, legible(decoder.decode(octets)).removeprefix(mark))
            mark = ""
        yield self._noted(text, legible(decoder.decode(b"", final=True)))

    def _noted(self, text: Text, piece: str) -> str:
        if text.html:
            self.shown.update(self._identities.intersection(map(unquote, _CID.findall(self._seam + piece))))
            self._seam = piece[-_LONGEST_CID:]
            room = self._limits.html - len(self.beginning)
            self.beginning += piece[:room]
            self.cut = self.cut or len(piece) > room
        return piece


def _joined(texts: Iterable[Iterator[str]]) -> Iterator[str]:
    """Texts one after another, a blank line between."""
    last = ""
    for pieces in texts:
        between = last and ("\n" if last.endswith("\n") else "\n\n")
        for piece in pieces:
            if piece:
                yield between + piece
                last, between = piece, ""
