"""Address fields (RFC 5322 3.4) as senders really write them: encoded, 8-bit, unquoted, unclosed, commas in names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from watcher.mail.words import words_decoded
from watcher.model import Address

__all__ = ["lenient_addresses"]

_TOKEN = re.compile(
    r"""(?P<word>=\?[^?\s]+\?[BbQq]\?[^?]*\?=)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<mark>[()<>,;:])
      | \\(?P<escaped>.)
      | (?P<plain>[^"()<>,;:\\=]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class _Item:
    """One address in the making."""

    phrase: list[str] = field(default_factory=list)  #: what stands outside of brackets, quotes taken away
    literal: list[str] = field(default_factory=list)  #: the same as written
    angle: list[str] | None = None  #: what stands in < >
    comment: list[str] = field(default_factory=list)

    def address(self, charset: str | None) -> Address | None:
        phrase = " ".join(_decoded(self.phrase, charset).split())
        if self.angle is not None:
            return Address(phrase, _spec(self.angle))
        words = "".join(self.literal).split()
        where = [number for number, word in enumerate(words) if "@" in word.strip("@")]
        if len(words) > 1 and len(where) == 1:  # a name and an address without brackets
            address = words.pop(where[0])
            return Address(_decoded([" ".join(words)], charset).strip('"'), _spec([address]))
        if where:
            return Address(_decoded(self.comment, charset).strip(), _spec(words))
        return Address(phrase, "") if phrase else None


def lenient_addresses(value: bytes, charset: str | None) -> Iterator[Address]:
    """The addresses of an unfolded field. Octets that are not UTF-8 are read as `charset`. Groups lose their names."""
    names: list[str] = []  # pieces of a name that was cut at its commas, if an address in brackets follows
    for item in _items(value.decode("utf-8", "surrogateescape")):
        address = item.address(charset)
        if address is None:
            continue
        if not address.address:
            names.append(address.name)
        elif item.angle is not None:
            yield Address(", ".join([*names, address.name]), address.address)
            names = []
        else:
            yield from map(_nobody, names)
            yield address
            names = []
    yield from map(_nobody, names)


def _nobody(name: str) -> Address:
    """Words without an address; a lone one may be that of a local mailbox."""
    return Address(name, "") if " " in name else Address("", name)


def _items(value: str) -> Iterator[_Item]:
    item = _Item()
    depth = 0
    bracketed = False
    for token in _TOKEN.finditer(value):
        mark = token["mark"]
        if depth or mark == "(":
            depth += (mark == "(") - (mark == ")")
            if depth and not (mark == "(" and depth == 1):
                item.comment.append(token["quoted"] or token["escaped"] or token[0])
        elif bracketed:
            bracketed = mark != ">"
            if bracketed and item.angle is not None:
                item.angle.append(token[0])
        elif mark == "<":
            bracketed, item.angle = True, []
        elif mark in (",", ";"):
            yield item
            item = _Item()
        elif mark == ":":  # the name of a group ends
            item = _Item()
        elif mark is None and token[0] != '"':
            quoted = token["quoted"]
            item.phrase.append(_QUOTED_PAIR.sub(r"\1", quoted) if quoted is not None else token["escaped"] or token[0])
            item.literal.append(token[0])
    yield item


def _decoded(pieces: list[str], charset: str | None = None) -> str:
    return words_decoded("".join(pieces).encode("utf-8", "surrogateescape"), charset)


def _spec(pieces: list[str]) -> str:
    """An address without blanks and the route before it (RFC 5322 4.4)."""
    text = _decoded(pieces)
    text = "".join(text.split()) if '"' not in text else text.strip()
    return text.rpartition(":")[2] if text.startswith("@") else text
