"""
A raw mail to a finished mail folder, on one core, against mail-parser reading the same mail in memory. The folders lie
on a file system in memory if there is one: what a disk and its other users cost is not ours.
"""

import base64
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import mailparser

from tests.bench.frame import Figure, cpu_ratio
from tests.mail.mails import folder_of, lines, multipart, part
from watcher.mail.unpack import unpack
from watcher.model import Envelope, MailFolder

_MEMORY = Path("/dev/shm")
_CHANCE = random.Random(4)

#: What a mail collects on its way; nearly all have this much.
_HEADER = lines(
    "Return-Path: <bounces+4711@mail.shop.example>",
    "Received: from mx.example.org (mx.example.org [192.0.2.7]) by store.example.org (Postfix) with ESMTPS id 4F2A1",
    "\tfor <ann@example.org>; Mon, 5 Oct 2026 10:00:03 +0200 (CEST)",
    "Received: from mail.shop.example (mail.shop.example [198.51.100.3])",
    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)) by mx.example.org (Postfix) with ESMTPS",
    "\tid 3B1C2; Mon,  5 Oct 2026 10:00:02 +0200 (CEST)",
    "Received: from app7.shop.example (app7.internal [10.0.0.7]) by mail.shop.example with ESMTP id x1;",
    "\tMon, 05 Oct 2026 08:00:01 +0000",
    "Authentication-Results: mx.example.org; dkim=pass header.d=shop.example; spf=pass",
    "\tsmtp.mailfrom=mail.shop.example; dmarc=pass header.from=shop.example",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=k1; h=from:to:subject:date;",
    "\tbh=" + "Y" * 43 + "=; b=" + "X" * 170,
    "From: =?utf-8?Q?B=C3=B6b_vom_Laden?= <bob@shop.example>",
    'To: "Ann Example" <ann@example.org>, "Team, Books" <books@example.org>',
    "Subject: =?utf-8?Q?Ihre_Bestellung_4711_ist_gepr=C3=BCft?=",
    "Date: Mon, 5 Oct 2026 10:00:00 +0200",
    "Message-ID: <20261005.4711@shop.example>",
    "References: <1@example.org> <2@shop.example>",
    "In-Reply-To: <2@shop.example>",
    "List-Unsubscribe: <https://shop.example/u/4711>",
    "X-Mailer: shop 3.2",
    "MIME-Version: 1.0",
)
_TEXT = "Hallo Ann,\r\n\r\nIhre Bestellung ist geprüft und geht heute ab.\r\n\r\nGruß\r\nBob\r\n"
_LETTER = multipart(
    part(_TEXT, "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"),
    part(
        "<html><body>" + "".join(f"<p>{line}</p>\r\n" for line in _TEXT.splitlines()) * 3 + "</body></html>",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ),
    kind="alternative",
    boundary="letter",
)


def _with_files(count: int, size: int) -> bytes:
    pdf = part(
        base64.encodebytes(_CHANCE.randbytes(size)).replace(b"\n", b"\r\n"),
        'Content-Type: application/pdf; name="invoice.pdf"',
        'Content-Disposition: attachment; filename="invoice.pdf"',
        "Content-Transfer-Encoding: base64",
    )
    return _HEADER + multipart(_LETTER, *[pdf] * count, boundary="files")


def measured(quick: bool) -> Iterator[Figure]:
    """The targets are those of the design: 2.5 times for a small mail, half and a quarter for large ones."""
    less = 5 if quick else 1
    yield from _against("3 kB", _HEADER + _LETTER, 300 // less, 2.5)
    yield from _against("1 MB, 5 files", _with_files(5, 150_000), 60 // less, 1 / 2)
    yield from _against("34 MB, 1 file", _with_files(1, 25_000_000), 10 // less, 1 / 4)


def _against(what: str, raw: bytes, rounds: int, most: float) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as place:
        folders = [folder_of(Path(place, str(number)), raw) for number in range(rounds + 1)]
        found = cpu_ratio([_unpacking(folder) for folder in folders], lambda: mailparser.parse_from_bytes(raw))
    yield Figure("mail", f"{what}: mail folder", found.ours * 1000, "ms")
    yield Figure("mail", f"{what}: mail-parser", found.theirs * 1000, "ms")
    yield Figure("mail", f"{what}: ours / theirs", found.value, "x", f"under {most:g}", found.value < most)


def _unpacking(folder: MailFolder) -> Callable[[], object]:
    return lambda: unpack(folder, Envelope())
