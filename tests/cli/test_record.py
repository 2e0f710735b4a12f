"""`record`: real mails come out as files, and nothing of whom they tell where that is asked for."""

import base64
import json
import re
from pathlib import Path

import pytest

from tests.cli.inside import run_inside
from tests.fakes.imap_server import ImapServer
from tests.mail.mails import folder_of
from tests.system.mails import KINDS, mails
from watcher.cli.demo.mails import samples
from watcher.cli.record.masking import masked
from watcher.cli.record.standins import Disguise
from watcher.mail.unpack import unpack
from watcher.model import Envelope

SECRET = b"s" * 32
PRIVATE = """From: =?utf-8?q?Zo=C3=AB_M=C3=BCller?= <zoe.mueller@firma-privat.de>\r
To: "Kwame, Osei" <kwame@osei-family.net>, =?gb2312?B?1cXOsA==?= <zhang.wei@corp.cn>\r
Subject: Kwame's invoice for =?gb2312?B?1cXOsA==?= +49 171 1234567\r
Date: Sat, 21 Nov 2026 10:00:00 +0000\r
Message-ID: <1763719200.4711@mail.firma-privat.de>\r
Received: from laptop.fritz.box (p4ff.dip0.t-ipconnect.de [93.184.216.34])\r
\tby mx.osei-family.net with ESMTPS id a1b2c3d4e5f6a7b8; Sat, 21 Nov 2026 10:00:01 +0000\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="=_bound"\r
\r
--=_bound\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
Dear KWAME, call me at (0171) 123 45 67, or write to zoe.mueller@firma-pri=\r
vat.de. On 2026-11-21 at 10:30 we meet. IBAN DE89 3704 0044 0532 0130 00. Z=F6e M=FCller\r
https://portal.firma-privat.de/reset?token=3D9f8e7d6c5b4a39281706&u=3Dkwame\r
--=_bound\r
Content-Type: application/pdf; name="Osei testament.pdf"\r
Content-Disposition: attachment; filename="Osei testament.pdf"\r
Content-Transfer-Encoding: base64\r
\r
{}--=_bound--\r
"""
FILE = b"%PDF-1.4 the contract of Kwame Osei" * 40
RAW = PRIVATE.format(base64.encodebytes(FILE).decode().replace("\n", "\r\n")).encode()


def shape(path: Path, raw: bytes):
    """What a handler goes by, without the words."""
    message = unpack(folder_of(path, raw), Envelope())
    files = [(part.type, part.inline, part.name is None) for part in message.attachments]
    people = [len(field) for field in (message.from_, message.to, message.cc, message.reply_to)]
    fields = [name for name, _ in message.headers]
    return message.text, message.html, files, people, fields, message.nature.kind, message.defects, message.date


def everything(path: Path, raw: bytes) -> str:
    """All that can be read of a mail."""
    message = unpack(folder_of(path, raw), Envelope())
    texts = [(path / name).read_text() for name in (message.text, message.html) if name]
    return "\n".join([(path / "message.json").read_text(), *texts]).casefold()


@pytest.mark.parametrize("word", ["müller", "mueller", "zoë", "kwame", "osei", "firma-privat", "张伟", "zhang",
    "1234567", "123 45 67", "3704", "9f8e7d6c", "93.184", "t-ipconnect", "a1b2c3d4", "testament"])  # fmt: skip
def test_nothing_private_is_left(tmp_path, word):
    assert word in everything(tmp_path / "before", RAW), "the test looks for something that is not there"
    assert word not in everything(tmp_path / "after", masked(RAW, Disguise(SECRET)))


def test_the_same_word_has_the_same_stand_in(tmp_path):
    out = masked(RAW, Disguise(SECRET))
    message = unpack(folder_of(tmp_path / "m", out), Envelope())
    text = (tmp_path / "m" / "body.txt").read_text()
    assert message.from_[0].address in text
    name = message.to[0].name.split(",")[0]
    assert name.upper() in text
    assert name in message.subject
    assert message.to[1].name in message.subject
    assert re.search(r"On 2026-11-21 at 10:30", text), "a date is no number of a person"
    assert masked(RAW, Disguise(b"o" * 32)) != out, "another recording has others"


def test_files_are_filler_of_the_same_size(tmp_path):
    for keep in (False, True):
        path = tmp_path / str(keep)
        message = unpack(folder_of(path, masked(RAW, Disguise(SECRET), keep_attachments=keep)), Envelope())
        data = (path / message.attachments[0].path).read_bytes()
        assert (data == FILE) is keep
        assert len(data) == len(FILE)
        assert message.attachments[0].name.endswith(".pdf")


MAILS = [
    *(pytest.param(sample.raw, id=sample.title) for sample in samples()),
    *(pytest.param(mail.raw, id=f"case {mail.case}") for mail in mails(len(KINDS))),
    pytest.param(RAW, id="private"),
    pytest.param(RAW.replace(b"\r\n", b"\n"), id="LF alone"),
    pytest.param(b"", id="nothing"),
    pytest.param(b"From: A <a@b.c>\r\n\r\nbegin 644 x.txt\r\n#0V%T\r\n`\r\nend\r\n", id="uuencoded"),
    pytest.param(b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ncut", id="cut off"),
]


@pytest.mark.parametrize("raw", MAILS)
def test_it_comes_apart_into_the_same_parts(tmp_path, raw):
    out = masked(raw, Disguise(SECRET))
    assert shape(tmp_path / "after", out) == shape(tmp_path / "before", raw)
    assert abs(len(out) - len(raw)) <= 0.15 * len(raw) + 40


def test_mails_of_a_server(tmp_path):
    with ImapServer() as server:
        for subject in ("one", "two", "three"):
            server.deliver(f"From: Ann <ann@corp.net>\r\nSubject: {subject} of Ann\r\n\r\nHello.\r\n".encode())
        (tmp_path / "secret").write_text("secret")
        (tmp_path / "secret").chmod(0o600)
        config = tmp_path / "config.toml"
        config.write_text(
            f'[account.me]\naddress = "me@example.com"\nuser = "me"\npassword = {{ file = "secret" }}\n'
            f'host = "{server.host}"\nport = {server.port}\nca_file = "{server.ca_file}"\n'
        )
        config.chmod(0o600)
        common = ("--config", str(config), "record", "me", "--to", str(tmp_path / "out"), "--query", "UID 1:*")
        done = run_inside(*common, "--limit", "2", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert [Path(one["file"]).name for one in json.loads(done.stdout)] == ["2.eml", "3.eml"]
        assert (tmp_path / "out" / "3.eml").read_bytes().endswith(b"three of Ann\r\n\r\nHello.\r\n")
        assert (tmp_path / "out" / "3.eml").stat().st_mode & 0o777 == 0o600

        again = run_inside(*common, "--mask")
        assert again.returncode == 1, "files that are there stay"
        assert "2.eml can't be made: File exists" in again.stderr
        written = (tmp_path / "out" / "1.eml").read_text()
        assert "Ann" not in written
        assert "one of " in written

        asked = [line.split(b" ", 1)[1].upper() for line in server.lines if b" " in line]
        assert any(line.startswith(b"EXAMINE") for line in asked)
        assert not any(line.startswith((b"SELECT", b"UID STORE", b"STORE")) for line in asked)
        assert all(b"BODY.PEEK" in line for line in asked if b"FETCH" in line)
        refused = run_inside("--config", str(config), "record", "nobody")
        assert refused.stderr == f"imap-watcher: there is no account nobody in {config}; known here: me\n"
