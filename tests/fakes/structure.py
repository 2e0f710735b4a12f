"""The parts of a mail, as an honest server tells them: BODYSTRUCTURE and sections (RFC 3501 7.4.2, 6.4.5)."""

import re
from email import message_from_bytes
from email.message import Message

__all__ = ["body_structure", "part_of"]


def body_structure(raw: bytes) -> bytes:
    return _told(message_from_bytes(raw))


def part_of(raw: bytes, section: str) -> bytes:
    """The octets of a section such as "1.2", "1.2.MIME" or "HEADER"."""
    if section == "HEADER":
        return raw[: raw.index(b"\r\n\r\n") + 4] if b"\r\n\r\n" in raw else raw
    numbers = section.removesuffix(".MIME").split(".")
    header = b""
    for number in map(int, numbers):
        boundary = re.escape((message_from_bytes(raw).get_boundary() or "").encode())
        pieces = re.split(rb"(?:\A|\r?\n)--" + boundary + rb"(?:--)?[ \t]*(?:\r?\n|\Z)", raw.partition(b"\r\n\r\n")[2])
        raw = pieces[number]
        header, _, body = (b"\r\n" + raw).partition(b"\r\n\r\n")
    return header[2:] + b"\r\n\r\n" if section.endswith(".MIME") else body


def _told(part: Message) -> bytes:
    group, _, kind = part.get_content_type().partition("/")
    parameters, disposition = _pairs(part.get_params([])[1:]), _disposition(part)
    if part.is_multipart() and group == "multipart":
        inner = b"".join(_told(each) for each in part.get_payload())
        return b'(%s "%s" %s %s NIL NIL)' % (inner, kind.encode(), parameters, disposition)
    body = (b"\n" + part.as_bytes()).partition(b"\n\n")[2]
    encoding = str(part.get("Content-Transfer-Encoding", "7bit")).encode()
    basic = b'"%s" "%s" %s NIL NIL "%s" %d' % (group.encode(), kind.encode(), parameters, encoding, len(body))
    if group == "text":
        basic += b" %d" % body.count(b"\n")
    if part.get_content_type() == "message/rfc822":
        basic += b" (%s) %s 1" % (b" ".join([b"NIL"] * 10), _told(part.get_payload(0)))
    return b"(%s NIL %s NIL NIL)" % (basic, disposition)


def _disposition(part: Message) -> bytes:
    word = part.get_content_disposition()
    if word is None:
        return b"NIL"
    return b'("%s" %s)' % (word.encode(), _pairs(part.get_params([], "content-disposition")[1:]))


def _pairs(parameters: list[tuple[str, str | tuple[str, str, str]]]) -> bytes:
    written = [
        f'"{key}" "{value}"' if isinstance(value, str) else f'"{key}*" "utf-8\'\'{value[2]}"'
        for key, value in parameters
    ]
    return f"({' '.join(written)})".encode("ascii", "replace") if written else b"NIL"
