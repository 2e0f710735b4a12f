"""
A mail that was built, read again as a stranger would, and in what it is not what was meant.

stdlib's `email`, which built it, reads its fields; how its parts lie and what is in them tells our own reader of mails,
which goes by offsets and holds none of it in memory.
"""

import re
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from hashlib import sha256

from watcher.limits import MIB, USUAL
from watcher.mail.defects import Defects
from watcher.mail.raw import Raw
from watcher.mail.tree import Part, leaves, whole

__all__ = ["File", "Meaning", "difference"]

#: Fields that `email` makes of the parts.
OF_CONTENT = frozenset({"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition"})

#: A mail of ours may have ten thousand recipients.
OURS = replace(USUAL, header=64 * MIB, field=64 * MIB)

File = tuple[str, str, bytes]  #: name, type, sha256 of the bytes
People = tuple[tuple[str, str], ...]  #: name and address of each


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reader is to find in a mail."""

    fields: tuple[tuple[str, str | People], ...]  #: names and decoded values, in order
    texts: tuple[str, ...]  #: with bare line feeds, in the order of the mail
    files: tuple[File, ...]  #: in the order of the mail


def difference(mail: Raw, meant: Meaning) -> str:
    """In what a reader of `mail` finds something else than is meant, in words; "" if in nothing."""
    defects = Defects(1)
    top = whole(mail, OURS, defects)
    fields = tuple(
        (name, raw(value))
        for name, value in message_from_bytes(mail[0 : top.start]).raw_items()
        if name not in OF_CONTENT
    )
    if [name for name, _ in fields] != [name for name, _ in meant.fields]:
        return "its fields are " + ", ".join(name for name, _ in fields)
    for (name, value), (_, wanted) in zip(fields, meant.fields, strict=True):
        if (decoded(value) if isinstance(wanted, str) else people(value)) != wanted:
            return f"its {name} differs"
    parts = [(part, heading(part)) for part in leaves(top, OURS, defects)]
    if tuple(text(part) for part, head in parts if head.get_content_disposition() is None) != meant.texts:
        return "its text differs"
    if tuple(file(*one) for one in parts if one[1].get_content_disposition() is not None) != meant.files:
        return "its files differ"
    return "; ".join(defects.listed())


def raw(value: object) -> str:
    """A field without its folding (RFC 5322 2.2.3), in UTF-8 (RFC 6532)."""
    return re.sub(r"\r\n(?=[ \t])", "", str(value)).encode("ascii", "surrogateescape").decode("utf-8", "replace")


def decoded(value: str) -> str:
    return str(make_header(decode_header(value)))


def people(value: str) -> People:
    return tuple((decoded(name), address) for name, address in getaddresses([value]))


def heading(part: Part) -> "Message[str, str]":
    """The fields of a part as stdlib reads them."""
    fields = (b"%s: %s\r\n" % (field.name.encode(), field.value) for field in part.header.fields)
    return message_from_bytes(b"".join(fields))


def text(part: Part) -> str:
    return b"".join(part.slices()).decode("utf-8", "replace").replace("\r\n", "\n")


def file(part: Part, head: "Message[str, str]") -> File:
    digest = sha256()
    for piece in part.slices():
        digest.update(piece)
    return head.get_filename(""), head.get_content_type(), digest.digest()
