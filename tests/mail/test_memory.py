"""What a child holds of a mail does not grow with the mail."""

import base64
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mail.mails import folder_of, lines, multipart, part
from tests.mail.test_pool import unpackers
from watcher.limits import MIB
from watcher.mail.pool import UnpackPool
from watcher.mail.trust import TrustPolicy
from watcher.model import Envelope

#: Bytes of the largest resident set that a child may ever have.
MOST = 80 * MIB

POLICY = TrustPolicy(authserv=("mx.us.example",), own_dkim=True)
HEAD = lines(
    "From: a@sub.them.example",
    "Authentication-Results: mx.us.example; dkim=pass header.d=them.example",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=gone.invalid; s=x; h=from; bh=AA==; b=AA==",
)


def attached(megabytes: int) -> bytes:
    block = base64.encodebytes(random.Random(1).randbytes(MIB // 57 * 57)).replace(b"\n", b"\r\n")
    files = part(block * megabytes, "Content-Type: application/pdf; name=a.pdf", "Content-Transfer-Encoding: base64")
    return multipart(part("text", "Content-Type: text/plain"), files)


def html(row: bytes) -> bytes:
    return part(row * (50 * MIB // len(row)), "Content-Type: text/html; charset=utf-8")


def peak(pid: int) -> int:
    """Bytes of the largest resident set that the process ever had (proc(5), VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: attached(25), id="25 MB attached"),
        pytest.param(lambda: attached(100), id="100 MB attached"),
        pytest.param(lambda: html(b"<p>words and m\xc3\xb6re words</p>\r\n"), id="50 MB of HTML"),
        pytest.param(lambda: html(b"<div>words "), id="50 MB of HTML without line ends"),
    ],
)
def test_a_child_stays_small(tmp_path, made: Callable[[], bytes]):
    pool = UnpackPool(1)
    try:
        pool.unpack(folder_of(tmp_path / "m", HEAD + made()), Envelope(), POLICY)
        (child,) = unpackers(os.getpid())
        assert peak(child) < MOST
    finally:
        pool.close()
