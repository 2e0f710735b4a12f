"""A mail that was built, read again as a stranger would, and in what it is not what was meant. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

__all__ = ["File", "Meaning", "difference"]

#: Fields that `email` makes of the parts.
OF_CONTENT = frozenset({"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition"})

File = tuple[str, str, bytes]  #: name, type, bytes
People = tuple[tuple[str, str], ...]  #: name and address of each


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reader is to find in a mail."""

    fields: tuple[tuple[str, str | People], ...]  #: names and decoded values, in order
    texts: tuple[str, ...]  #: with bare line feeds, in the order of the mail
    files: tuple[File, ...]  #: in the order of the mail; a mail within the mail without its bytes


def difference(mail: bytes, meant: Meaning) -> str:
    """In what a reader of `mail` finds something else than is meant, in words; "" if in nothing."""
    read = message_from_bytes(mail)
    fields = tuple((name, raw(value)) for name, value in read.raw_items() if name not in OF_CONTENT)
    if [name for name, _ in fields] != [name for name, _ in meant.fields]:
        return "its fields are " + ", ".join(name for name, _ in fields)
    for (name, value), (_, wanted) in zip(fields, meant.fields, strict=True):
        if (decoded(value) if isinstance(wanted, str) else people(value)) != wanted:
            return f"its {name} differs"
    parts = list(leaves(read))
    if tuple(text(part) for part in parts if part.get_content_disposition() is None) != meant.texts:
        return "its text differs"
    if tuple(file(part) for part in parts if part.get_content_disposition() is not None) != meant.files:
        return "its files differ"
    return ""


def raw(value: object) -> str:
    """A field without its folding (RFC 5322 2.2.3), in UTF-8 (RFC 6532)."""
    return re.sub(r"\r\n(?=[ \t])", "", str(value)).encode("ascii", "surrogateescape").decode("utf-8", "replace")


def decoded(value: str) -> str:
    return str(make_header(decode_header(value)))


def people(value: str) -> People:
    return tuple((decoded(name), address) for name, address in getaddresses([value]))


def leaves(part: "Message[str, str]") -> Iterator["Message[str, str]"]:
    """The parts that are no frame for others; a mail within the mail is one of them."""
    if part.get_content_maintype() != "multipart":
        yield part
        return
    for inner in part.get_payload():
        assert isinstance(inner, Message)
        yield from leaves(inner)


def text(part: "Message[str, str]") -> str:
    return content(part).decode("utf-8", "replace").replace("\r\n", "\n")


def file(part: "Message[str, str]") -> File:
    mail = part.get_content_maintype() == "message"
    return part.get_filename(""), part.get_content_type(), b"" if mail else content(part)


def content(part: "Message[str, str]") -> bytes:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data
