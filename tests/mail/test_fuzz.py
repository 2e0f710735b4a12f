"""A while of fuzzing over the walker: no exception escapes, every leaf's bytes are found again, names stay inside."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mail.mails import lines, multipart, part
from tests.mail.test_schema import MAILS

#: What the fuzzer begins with, beside the mails of the schema.
SEEDS = [
    part("w7w=", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64"),
    part("=C3=BC=\r\n", "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: quoted-printable"),
    part("begin 644 a\n#0V%T\n`\nend\n", "Content-Type: a/b", "Content-Transfer-Encoding: x-uuencode"),
    part("x\nbegin 644 ../a\n#0V%T\n`\nend\n", "Subject: =?iso-2022-jp?B?GyRCJDkbKEI=?=", "To: =?x?Q?A?= <a@b>, c:d;"),
    part("+AOQ-", "Content-Type: text/plain; charset=utf-7; format=flowed", "Date: 1 Jan 99 1:2 EST", "From: a@b (c)"),
    multipart(part("AA==", "Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1*=%BC/..; filename=a")),
    multipart(multipart(b"\r\nx", boundary="b0--"), part("x", "Content-Type: message/rfc822"), kind="digest"),
    multipart(part('<img src="cid:a">', "Content-Type: text/html"), part("x", "Content-ID: <a>"), kind="related"),
    lines("From a", "Subject: x", "odd", "Content-Type: multipart/mixed;", ' boundary="a', ' b"', "", "--a b", "", "x"),
]  # fmt: skip

#: What broken mail is made of.
WORDS = [
    *("Content-Type: multipart/mixed; boundary=b", "Content-Type: message/rfc822", "Content-Type: text/html; charset="),
    *("Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable", "filename*0*=utf-8''%2e"),
    *("Content-Disposition: attachment; filename=", "--b", "--b--", "begin 644 x\\x0a", "=?utf-8?Q?", "?="),
    *("multipart/report; report-type=delivery-status", "From: ", "Subject: ", "winmail.dat", "utf-16", "utf-7"),
    *("\\x0d\\x0a", "\\x1b$B"),
]  # fmt: skip


def fuzzed(path: Path, *bounds: str) -> None:
    seeds = path / "seeds"
    seeds.mkdir()
    for number, raw in enumerate([*MAILS.values(), *SEEDS]):
        (seeds / f"mail-{number}").write_bytes(raw)
        (seeds / f"file-{number}").write_bytes(b"\0text\0" + raw)
    words = path / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    command = [sys.executable, "-m", "tests.mail.fuzz", *bounds, f"-dict={words}", f"-artifact_prefix={path}/", seeds]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = run.stdout.decode(errors="replace")
    assert run.returncode == 0, said[-4000:]
    assert "Done" in said


def test_a_short_while(tmp_path):
    fuzzed(tmp_path, "-runs=20000", "-max_total_time=20", "-seed=1")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_long_while(tmp_path):
    fuzzed(tmp_path, "-max_total_time=1800")
