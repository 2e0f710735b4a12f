"""The worst mails known: each comes apart within the limits of a child, and the next mail is fine."""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.mail.mails import folder_of, lines, multipart, part
from tests.system.processes import cpu_of
from watcher.limits import MIB, Limits
from watcher.mail.pool import UnpackPool
from watcher.model import Envelope, Message

#: What each may cost: the pool kills a child that takes more, and the mail has no result then.
LIMITS = Limits(memory=300 * MIB)
SECONDS = 5.0  #: of CPU, in place of the limit's own, which run faster where the machine is busy

PLAIN = "Content-Type: text/plain"
PNG = "Content-Type: image/png"


def nested(levels: int, kind: str, leaf: bytes = b"") -> bytes:
    heads = (lines(f"Content-Type: multipart/{kind}; boundary=b{n}", "", f"--b{n}") for n in range(levels))
    return b"".join(heads) + lines(PLAIN, "") + leaf


def field(name: str, value: bytes) -> bytes:
    return name.encode() + b": " + value + b"\r\n" + lines("Subject: here", "", "text")


def text(body: bytes, charset: str, encoding: str = "8bit") -> bytes:
    return part(body, f"Content-Type: text/plain; charset={charset}", f"Content-Transfer-Encoding: {encoding}")


def html(body: str) -> bytes:
    return part(body, "Content-Type: text/html; charset=utf-8")


def attachments(count: int) -> bytes:
    return multipart(*[part("x", PNG, "Content-Disposition: attachment; filename=a.png")] * count)


def named(*names: str) -> bytes:
    return multipart(*[part("x", PNG, f"Content-Disposition: attachment; filename*=utf-8''{quote(n)}") for n in names])


MAILS: dict[str, Callable[[], bytes]] = {
    "semicolons": lambda: field("Content-Type", b"text/plain" + b";" * 1_000_000),
    "parameters": lambda: field("Content-Type", b"text/plain" + b"; a=b" * 100_000),
    "quotes": lambda: field("Content-Type", b'text/plain; a="' + b'\\"' * 500_000),
    "punycode": lambda: text(b"a-" * 500_000, "punycode"),
    "punycode subject": lambda: field("Subject", b"=?punycode?Q?" + b"a-" * 30_000 + b"?="),
    "idna": lambda: text(b"a." * 500_000, "idna"),
    "zlib": lambda: text(base64.b64encode(bytes(1_000_000)), "zlib", "base64"),
    "charset of 100 kB": lambda: text(b"x", "y" * 100_000),
    "charset with NUL": lambda: text(b"x", '"us-ascii\0"'),
    "utf-7 of halves": lambda: text(b"+2AA-" * 100_000, "utf-7"),
    "distinct fields": lambda: b"".join(b"X-%d: y\r\n" % n for n in range(300_000)) + b"\r\ntext",
    "same fields": lambda: b"X: y\r\n" * 300_000 + b"\r\ntext",
    "received": lambda: b"Received: from a by b; Mon, 5 Oct 2026 10:00:00 +0200\r\n" * 50_000 + b"\r\ntext",
    "addresses": lambda: field("To", b"a@b.example, " * 300_000),
    "opening brackets": lambda: field("To", b"(" * 1_000_000),
    "angles": lambda: field("From", b"<" * 1_000_000),
    "groups": lambda: field("Cc", b"a:" * 500_000),
    "words": lambda: field("Subject", b"=?utf-8?Q?a?= " * 100_000),
    "unfinished words": lambda: field("Subject", b"=?utf-8?Q?" * 100_000),
    "date": lambda: field("Date", b"1" * 1_000_000),
    "dates": lambda: field("Date", b"Mon, " * 200_000),
    "references": lambda: field("References", b"<a@b> " * 1_000_000),
    "10 MB of header": lambda: field("X", b"x" * 10_000_000),
    "folded header": lambda: field("X", b"x\r\n " * 1_000_000),
    "name in pieces": lambda: field("Content-Type", b"a/b" + b"".join(b"; name*%d*=a" % n for n in range(100_000))),
    "attachments": lambda: attachments(30_000),
    "parts": lambda: lines("Content-Type: multipart/mixed; boundary=b", "") + b"--b\r\n" * 300_000,
    "nested": lambda: nested(200, "mixed", b"x" * 1_000_000),
    "nested deeply": lambda: nested(10_000, "mixed"),
    "nested messages": lambda: lines("Content-Type: message/rfc822", "") * 10_000,
    "nested digests": lambda: nested(1000, "digest"),
    "encoded multiparts": lambda: lines("Content-Type: multipart/x", "Content-Transfer-Encoding: base64", "") * 3000,
    "boundary of 1 MB": lambda: multipart(part("x", PLAIN), boundary="b" * 1_000_000),
    "boundary of dashes": lambda: lines('Content-Type: multipart/mixed; boundary="-"', "") + b"-" * 10_000_000,
    "lines like boundaries": lambda: lines("Content-Type: multipart/mixed; boundary=b", "") + b"--bb\r\n" * 1_000_000,
    "preamble": lambda: multipart(part("x", PLAIN)).replace(b"--b0", b"y" * 10_000_000 + b"\r\n--b0", 1),
    "line ends": lambda: lines("Subject: x", "") + b"\n" * 10_000_000,
    "carriage returns": lambda: b"Subject: x\r\r" + b"\r" * 10_000_000,
    "NUL": lambda: lines("Subject: x", "") + bytes(10_000_000),
    "one line": lambda: text(b"x" * 10_000_000, "utf-8", "quoted-printable"),
    "equal signs": lambda: text(b"=" * 5_000_000, "utf-8", "quoted-printable"),
    "padding": lambda: text(b"=" * 5_000_000, "utf-8", "base64"),
    "blanks at line ends": lambda: text(b" " * 5_000_000 + b"x \r\n", "utf-8", "quoted-printable"),
    "uuencode": lambda: text(b"begin 644 a\r\n#8V%T\r\n`\r\nend\r\n" * 50_000, "utf-8"),
    "uuencode without end": lambda: text(b"begin 644 a\r\n#8V%T\r\n" * 20_000, "utf-8"),
    "uuencode of a line": lambda: part(b"begin 644 a\n" + b"M" * 5_000_000, PNG, "Content-Transfer-Encoding: uuencode"),
    "deep HTML": lambda: html("<div>" * 200_000 + "x"),
    "tables": lambda: html("<table><tr><td>" * 20_000 + "x"),
    "lists": lambda: html("<ul><li>" * 30_000 + "x"),
    "cells": lambda: html("<table>" + "<tr>" + "<td>x" * 50_000),
    "more cells": lambda: html("<table>" + "<tr>" + "<td>x" * 500_000),
    "entities": lambda: html("&lt;" * 500_000),
    "comments": lambda: html("<!--" * 200_000),
    "scripts": lambda: html("<script>" * 100_000),
    "references of HTML": lambda: html("cid:x " * 500_000),
    "names that climb": lambda: named("../../x", "/etc/passwd", "..\\..\\x", "..", ".", "a/../../x", "~/x", "a\0b"),
    "names of devices": lambda: named("CON", "nul.txt", "COM1.pdf", "LPT¹", "a:b", "x.", " .x", "-rf", ".rc", "..."),
    "names that turn": lambda: named("a\u202efdp.exe", "a\u200bb", "\ufeffa", "a\u2028b", "a\nb", "\x1b[2Jx"),
    "names alike": lambda: named(*["A.txt", "a.TXT", "ä.txt", "a\u0308.txt", "a-2.txt", "a.txt "] * 80),
    "names of our files": lambda: named("../message.json", "message.eml", "body.txt", "attachments"),
    "names of 4 kB": lambda: named("x" * 4000 + ".pdf", "." * 4000, "é" * 2000, "x." + "y" * 4000, "/" * 4000 + "x"),
    "large HTML": lambda: html("<p>words and more words</p>\n" * 400_000),
}  # fmt: skip


@pytest.fixture(scope="module")
def pool():
    made = UnpackPool(2, LIMITS)
    yield made
    made.close()


def unpacked(pool: UnpackPool, path: Path, raw: bytes) -> Message:
    folder = folder_of(path, raw)
    message = pool.unpack(folder, Envelope())
    assert folder.raw.read_bytes() == raw
    named = {each.path for each in message.attachments} | {name for name in (message.text, message.html) if name}
    there = {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()}
    assert there == named | {"message.eml", "message.json"}
    return message


@pytest.mark.parametrize("name", MAILS)
def test_hostile_mail(pool, tmp_path, name):
    raw, used = MAILS[name](), cpu_of(os.getpid())
    message = unpacked(pool, tmp_path / "hostile", raw)
    assert cpu_of(os.getpid()) - used < SECONDS
    assert [path.name for path in tmp_path.iterdir()] == ["hostile"]
    assert len(message.attachments) <= LIMITS.parts
    assert len(message.defects) <= LIMITS.defects
    assert unpacked(pool, tmp_path / "next", lines("Subject: fine", "", "text")).subject == "fine"


@pytest.mark.parametrize("name", ["semicolons", "addresses", "references", "folded header", "10 MB of header"])
def test_what_lies_behind_a_hostile_field_is_still_there(pool, tmp_path, name):
    message = unpacked(pool, tmp_path / "m", MAILS[name]())
    assert message.text == "body.txt"
    assert (tmp_path / "m/body.txt").read_text() == "text\n"
