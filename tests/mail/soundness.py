"""What must be true of any mail at all, however it was made."""

import base64
import binascii
import hashlib
import tempfile
import unicodedata
from pathlib import Path
from urllib.parse import quote

from tests.mail.mails import lines, multipart, part, taken_apart

#: Kinds of characters that never stand in what is handed on: controls, half characters, line ends.
UNFIT = {"Cc", "Cs", "Zl", "Zp"}

_MEMORY = Path("/dev/shm")
_PLACE = _MEMORY if _MEMORY.is_dir() else None


def assert_sound(raw: bytes) -> None:
    """Nothing escapes, neither an exception nor a file; what message.json says of the files is so."""
    with tempfile.TemporaryDirectory(dir=_PLACE) as place:
        path = Path(place, "m")
        found = taken_apart(path, raw)
        assert (path / "message.eml").read_bytes() == raw
        assert [each.name for each in Path(place).iterdir()] == ["m"]
        for attachment in found.message.attachments:
            data = found.content(attachment)
            assert (path / attachment.path).resolve().parent == (path / "attachments").resolve()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (attachment.size, attachment.sha256)
        message = found.message
        handed_on = [message.subject, *(each.name + each.address for each in (*message.from_, *message.to))]
        handed_on += [name + value for name, value in message.headers] + [name or "" for name in found.names]
        assert not UNFIT & {unicodedata.category(letter) for text in handed_on for letter in text}


def assert_found(data: bytes, name: str, preamble: bytes) -> None:
    """A file in a mail comes out with its very bytes, in both encodings, whatever stands before it and is its name."""
    parts = [
        part(
            encoded(data, encoding),
            f"Content-Type: application/x; name*=utf-8''{quote(name, errors='replace')}",
            f"Content-Transfer-Encoding: {encoding}",
        )
        for encoding in ("base64", "quoted-printable")
    ]
    head, body = multipart(*parts, boundary="b-4711-b").split(b"\r\n\r\n", 1)
    with tempfile.TemporaryDirectory(dir=_PLACE) as place:
        found = taken_apart(Path(place, "m"), head + b"\r\n\r\n" + preamble + lines("") + body)
        assert found.files == [data, data]


def encoded(data: bytes, encoding: str) -> bytes:
    return base64.encodebytes(data) if encoding == "base64" else binascii.b2a_qp(data, istext=False)
