"""A whole mail to its folder: bodies, attachments, facts, limits, and doing it twice."""

import base64
import hashlib
import os
from datetime import UTC, datetime

import pytest

from tests.mail.mails import folder_of, lines, multipart, part, taken_apart
from watcher.errors import Unreadable
from watcher.findings import MailKind, SenderVerdict
from watcher.limits import Limits
from watcher.mail.facts import from_json
from watcher.mail.trust import TrustPolicy
from watcher.mail.unpack import unpack
from watcher.model import Envelope, MailFolder

PLAIN = "Content-Type: text/plain; charset=utf-8"
HTML = "Content-Type: text/html; charset=utf-8"
B64 = "Content-Transfer-Encoding: base64"
NAMED = 'Content-Disposition: attachment; filename="a.pdf"'


# --- the whole ------------------------------------------------------------------------------------------------------


def test_an_everyday_mail(tmp_path):
    raw = lines(
        "From: =?utf-8?Q?J=C3=BCrgen?= <j@example.com>",
        "To: a@example.com",
        "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
        "Date: Mon, 5 Oct 2026 10:00:00 +0200",
        "Message-ID: <1@example.com>",
    ) + multipart(
        multipart(part("Grüße", PLAIN), part("<p>Grüße", HTML), kind="alternative", boundary="b1"),
        part(base64.encodebytes(b"%PDF" * 1000), "Content-Type: application/pdf", B64, NAMED),
    )
    received = datetime(2026, 10, 5, 8, 0, 1, tzinfo=UTC)
    envelope = Envelope("k1", "acc", "INBOX", 7, 42, received)
    folder = folder_of(tmp_path / "m", raw)
    message = unpack(folder, envelope)
    assert (tmp_path / "m/body.txt").read_bytes() == "Grüße".encode()
    assert (tmp_path / "m/body.html").read_bytes() == "<p>Grüße".encode()
    assert (tmp_path / "m/attachments/a.pdf").read_bytes() == b"%PDF" * 1000
    assert folder.raw.read_bytes() == raw
    assert from_json(folder.facts.read_text(encoding="utf-8")) == message
    assert (message.key, message.account, message.folder, message.uidvalidity, message.uid) == (
        *("k1", "acc", "INBOX", 7, 42),
    )
    assert message.received == received
    assert message.size == len(raw)
    assert message.subject == "Grüße"
    assert message.defects == ()
    (attachment,) = message.attachments
    assert (attachment.name, attachment.path, attachment.size) == ("a.pdf", "attachments/a.pdf", 4000)
    assert attachment.sha256 == hashlib.sha256(b"%PDF" * 1000).hexdigest()


def test_repeating_gives_the_same(tmp_path):
    raw = multipart(part("one", PLAIN), part("x", "Content-Type: a/b", NAMED))
    first = taken_apart(tmp_path, raw)
    json = (tmp_path / "message.json").read_bytes()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert taken_apart(tmp_path, raw).message == first.message
    assert (tmp_path / "message.json").read_bytes() == json
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_what_an_interrupted_run_left_is_gone(tmp_path):
    (tmp_path / "attachments" / "sub").mkdir(parents=True)
    (tmp_path / "attachments" / "stale").write_text("x")
    (tmp_path / "body.html").write_text("stale")
    (tmp_path / "message.json.new").write_text("half")
    taken_apart(tmp_path, lines("Subject: x", "", "text"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["body.txt", "message.eml", "message.json"]


def test_planted_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    folder = tmp_path / "m"
    folder.mkdir()
    for name in ("body.txt", "message.json", "message.json.new"):
        (folder / name).symlink_to(outside / "kept")
    (folder / "attachments").symlink_to(outside)
    taken_apart(folder, multipart(part("text", PLAIN), part("x", "Content-Type: a/b", NAMED)))
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept"
    assert not (folder / "attachments").is_symlink()


def test_a_raw_mail_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "secret").write_text("x")
    folder = MailFolder(tmp_path / "m")
    folder.path.mkdir()
    folder.raw.symlink_to(tmp_path / "secret")
    with pytest.raises(Unreadable):
        unpack(folder, Envelope())


def test_missing_mail_is_unreadable_for_good(tmp_path):
    with pytest.raises(Unreadable, match=r"there is no message\.eml") as caught:
        unpack(MailFolder(tmp_path), Envelope())
    assert not caught.value.crashed


def test_files_are_private(tmp_path):
    old = os.umask(0)
    try:
        found = taken_apart(tmp_path, multipart(part("text", PLAIN), part("x", "Content-Type: a/b", NAMED)))
    finally:
        os.umask(old)
    made = [tmp_path / "body.txt", tmp_path / "message.json", tmp_path / found.message.attachments[0].path]
    assert all(path.stat().st_mode & 0o777 == 0o400 for path in made)
    assert (tmp_path / "attachments").stat().st_mode & 0o777 == 0o700


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_several_texts_stand_in_order_with_a_blank_line_between(tmp_path):
    raw = multipart(part("one\r\n", PLAIN), part("two", PLAIN), part("three", PLAIN))
    assert taken_apart(tmp_path, raw).text == "one\n\ntwo\n\nthree"


def test_html_alone_gets_a_text(tmp_path):
    found = taken_apart(tmp_path, part("<style>x{}</style><p>One &amp; two<br>three", HTML))
    assert found.html == "<style>x{}</style><p>One &amp; two<br>three"
    assert found.text == "One & two\nthree\n"


def test_html_too_deep_to_render_gets_its_words(tmp_path):
    found = taken_apart(tmp_path, part("<div>" * 20_000 + "words", HTML))
    assert found.text == "words\n"
    assert "leaving out the tags" in found.message.defects[0]


def test_no_text_at_all(tmp_path):
    found = taken_apart(tmp_path, part("x", "Content-Type: application/pdf"))
    assert (found.message.text, found.message.html, found.files) == (None, None, [b"x"])
    assert not (tmp_path / "body.txt").exists()


def test_named_inline_text_is_both(tmp_path):
    found = taken_apart(tmp_path, multipart(part("x", PLAIN, 'Content-Disposition: inline; filename="a.txt"')))
    assert (found.text, found.names, found.files) == ("x", ["a.txt"], [b"x"])


def test_text_marked_as_attachment_is_no_body(tmp_path):
    found = taken_apart(tmp_path, multipart(part("x", PLAIN, "Content-Disposition: attachment")))
    assert (found.text, found.names, found.files) == (None, [None], [b"x"])


def test_text_of_forwarded_mail_stays_out(tmp_path):
    # F9
    inner = lines("From: a@example.com", "Subject: inner", "", "inner text")
    raw = multipart(
        part("outer", PLAIN),
        part(inner, "Content-Type: message/rfc822", 'Content-Disposition: inline; filename="Forwarded.eml"'),
    )
    found = taken_apart(tmp_path, raw)
    assert found.text == "outer"
    assert (found.names, found.files) == (["Forwarded.eml"], [inner])


def test_the_line_of_an_mbox_file_is_no_part_of_an_attached_message(tmp_path):
    inner = b"From a@example.com Mon Oct  5 10:00:00 2026\r\nSubject: x\r\n\r\ny"
    found = taken_apart(tmp_path, multipart(part(inner, "Content-Type: message/rfc822")))
    assert found.files == [b"Subject: x\r\n\r\ny"]


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_iso_2022_jp(tmp_path, encoding):
    # F2: mail-parser leaves it undecoded
    text = "すみません"
    octets = text.encode("iso2022_jp")
    octets = {"7bit": octets, "base64": base64.b64encode(octets), "quoted-printable": octets.hex("=").encode()}[
        encoding
    ]
    octets = b"=" * (encoding == "quoted-printable") + octets
    raw = part(octets, "Content-Type: text/plain; charset=ISO-2022-JP", f"Content-Transfer-Encoding: {encoding}")
    assert taken_apart(tmp_path, raw.replace(b"=1b", b"=1B")).text == text


def test_charset_that_only_the_page_names(tmp_path):
    page = '<meta charset="iso-8859-2"><p>Zażółć'
    found = taken_apart(tmp_path, part(page.encode("iso8859-2"), "Content-Type: text/html"))
    assert found.html == page


def test_large_text_is_read_in_slices(tmp_path):
    text = "Grüße 你好\r\n" * 200_000
    found = taken_apart(tmp_path, part(text.encode("gb18030"), "Content-Type: text/plain; charset=gb2312"))
    assert found.text == text.replace("\r\n", "\n")


def test_byte_order_mark_is_no_text(tmp_path):
    assert taken_apart(tmp_path, part("\ufefftext", PLAIN)).text == "text"


def test_mac_line_ends(tmp_path):
    raw = multipart(part("one\r\ntwo", PLAIN), part("x", "Content-Type: a/b")).replace(b"\r\n", b"\r")
    found = taken_apart(tmp_path, b"Subject: mac\r" + raw)
    assert (found.text, found.files, found.message.subject) == ("one\ntwo", [b"x"], "mac")


# --- attachments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["audio/basic", "image/jpeg", "application/octet-stream", "x/y"])
def test_unnamed_binary_is_an_attachment(tmp_path, kind):
    # F3
    data = bytes(range(256))
    raw = multipart(part("text", PLAIN), part(base64.encodebytes(data), f"Content-Type: {kind}", B64))
    found = taken_apart(tmp_path, raw)
    assert (found.names, found.files) == ([None], [data])
    assert found.message.attachments[0].path.startswith("attachments/part-1.")


def test_calendar_is_an_attachment(tmp_path):
    # F14
    raw = multipart(
        part("invited", PLAIN),
        part("BEGIN:VCALENDAR", "Content-Type: text/calendar; method=REQUEST"),
        kind="alternative",
    )
    found = taken_apart(tmp_path, raw)
    assert (found.text, found.files) == ("invited", [b"BEGIN:VCALENDAR"])
    assert found.message.attachments[0].type == "text/calendar"


def test_report_parts_are_attachments(tmp_path):
    raw = multipart(
        part("it bounced", PLAIN),
        part("Status: 5.1.1", "Content-Type: message/delivery-status"),
        part("Subject: x", "Content-Type: text/rfc822-headers"),
        kind="report",
    )
    found = taken_apart(tmp_path, raw)
    assert (found.text, found.files) == ("it bounced", [b"Status: 5.1.1", b"Subject: x"])


def test_images_that_the_html_shows_are_inline(tmp_path):
    image = ("Content-Type: image/png", "Content-Disposition: attachment; filename=a.png")
    raw = multipart(
        part('<img src="cid:one%40x"><img src=CID:two>', HTML),
        part("1", *image, "Content-ID: <one@x>"),
        part("2", *image, "Content-ID: two"),
        part("3", *image, "Content-ID: <three>"),
        part("4", "Content-Type: image/png", "Content-Disposition: inline"),
        kind="related",
    )
    attachments = taken_apart(tmp_path, raw).message.attachments
    assert [item.inline for item in attachments] == [True, True, False, True]
    assert [item.content_id for item in attachments] == ["one@x", "two", "three", None]


def test_names_that_collide(tmp_path):
    raw = multipart(
        *(
            part(str(i), "Content-Type: a/b", f"Content-Disposition: attachment; filename={name}")
            for i, name in enumerate(["a.txt", "A.TXT", "../a.txt", "/etc/passwd", "CON"])
        )
    )
    found = taken_apart(tmp_path, raw)
    assert found.names == ["a.txt", "A.TXT", "../a.txt", "/etc/passwd", "CON"]
    assert [item.path for item in found.message.attachments] == [
        f"attachments/{name}" for name in ("a.txt", "A-2.TXT", "a-3.txt", "passwd", "_CON")
    ]
    assert found.files == [b"0", b"1", b"2", b"3", b"4"]


UU = b"begin 644 cat.txt\r\n#8V%T\r\n`\r\nend\r\n"


def test_uuencoded_files_leave_the_text(tmp_path):
    # F13
    body = b"before\r\n" + UU + b"between\r\nbegin 644 of nothing\r\nat all\r\n" + UU + b"after"
    found = taken_apart(tmp_path, part(body, PLAIN))
    assert found.text == "before\nbetween\nbegin 644 of nothing\nat all\nafter"
    assert (found.names, found.files) == (["cat.txt", "cat.txt"], [b"cat", b"cat"])


def test_uuencoded_file_in_encoded_text(tmp_path):
    found = taken_apart(tmp_path, part(base64.encodebytes(b"text\n" + UU), PLAIN, B64))
    assert (found.text, found.files) == ("text\n", [b"cat"])


def test_uuencode_as_transfer_encoding(tmp_path):
    raw = multipart(part(UU, "Content-Type: a/b", "Content-Transfer-Encoding: x-uuencode", NAMED))
    assert taken_apart(tmp_path, raw).files == [b"cat"]


# --- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["From a@b Mon Oct  5 10:00:00 2026", ">From a@b Mon Oct  5 10:00:00 2026"])
def test_line_of_an_mbox_file_above_the_header(tmp_path, before):
    found = taken_apart(tmp_path, lines(before, "Subject: x", "", "text"))
    assert (found.message.subject, found.text) == ("x", "text\n")


def test_name_of_a_field_that_is_not_ascii(tmp_path):
    # the stdlib ends the header there and loses the attachments
    raw = lines(b"X-Gr\xfc\xdfe: x", "Überschrift: y") + multipart(part("a", PLAIN), part("b", "Content-Type: x/y"))
    found = taken_apart(tmp_path, raw)
    assert (found.text, found.files) == ("a", [b"b"])


def test_a_line_in_the_header_that_is_no_field(tmp_path):
    found = taken_apart(tmp_path, lines("Subject: x", "no field", "From: a@example.com", "", "text"))
    assert (found.message.subject, found.message.from_[0].address, found.text) == ("x", "a@example.com", "text\n")
    assert found.message.defects == ("the header has a line that is no field",)


def test_header_that_ends_without_a_blank_line(tmp_path):
    found = taken_apart(tmp_path, lines("Subject: x", "this is text", "and more"))
    assert (found.message.subject, found.text) == ("x", "this is text\nand more\n")


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"no header at all", b"\x00\xff\xfe" * 999, b"\r" * 99, b":\n:\n\n"])
def test_what_is_hardly_a_mail(tmp_path, raw):
    found = taken_apart(tmp_path, raw)
    assert found.message.size == len(raw)
    assert found.record["headers"] is not None


def test_octets_in_the_subject_follow_the_charset_of_the_text(tmp_path):
    raw = lines("Subject: Привет".encode("koi8-r"), "Content-Type: text/plain; charset=koi8-r", "", "x")
    assert taken_apart(tmp_path, raw).message.subject == "Привет"


# --- limits ---------------------------------------------------------------------------------------------------------


def test_too_large_a_mail_gives_its_header(tmp_path):
    found = taken_apart(tmp_path, lines("Subject: x", "", "y" * 2000), Limits(raw=1000))
    assert (found.message.subject, found.message.text, found.message.attachments) == ("x", None, ())
    assert found.message.defects == ("mail over 1000 bytes: only its header was read",)


def test_too_many_parts(tmp_path):
    found = taken_apart(tmp_path, multipart(*(part("x", "Content-Type: a/b") for _ in range(20))), Limits(parts=10))
    assert len(found.files) == 9
    assert "more than 10 parts" in found.message.defects[0]


def test_too_large_a_header_still_has_its_body(tmp_path):
    fields = [f"X-{number}: {'x' * 100}" for number in range(100)]
    found = taken_apart(tmp_path, lines("Subject: x", *fields, "", "text"), Limits(header=5000))
    assert (found.message.subject, found.text) == ("x", "text\n")
    assert 40 < len(found.message.headers) < 50
    assert found.message.defects == ("header over 5000 bytes: its later fields were not read",)


def test_too_many_and_too_long_fields(tmp_path):
    raw = lines("Subject: " + "x" * 5000, *["X: y"] * 50, "", "text")
    found = taken_apart(tmp_path, raw, Limits(field=1000, fields=20))
    assert len(found.message.subject) <= 1000
    assert len(found.message.headers) == 20
    assert found.text == "text\n"
    assert len(found.message.defects) == 2


@pytest.mark.parametrize("size", range(8170, 8215))
def test_a_header_that_ends_where_a_look_at_it_ends(tmp_path, size):
    raw = lines("X: " + "x" * (size - 20), "Subject: y", "", "text")
    found = taken_apart(tmp_path, raw)
    assert (found.message.subject, found.text, found.message.defects) == ("y", "text\n", ())


def test_what_kind_of_mail_and_whose_word_it_is(tmp_path):
    stamped = (
        b"Authentication-Results: mx.example.com; dmarc=pass header.from=a.example\r\n"
        b"Received: from a.example by mx.example.com; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
        b"From: Ann <ann@a.example>\r\nAuto-Submitted: auto-replied\r\nSubject: Re: x\r\n\r\n"
        b"I am away.\r\n\r\nOn Mon, 2 Nov 2026 at 10:00, Bob <b@b.example> wrote:\r\n> come\r\n"
    )
    folder = MailFolder(tmp_path / "m")
    folder.path.mkdir()
    folder.raw.write_bytes(stamped)
    believed = unpack(folder, Envelope(), policy=TrustPolicy(authserv=("mx.example.com",)))
    assert (believed.nature.kind, believed.trust.verdict) == (MailKind.AUTO_REPLY, SenderVerdict.VERIFIED)
    assert believed.reply == "I am away."
    assert from_json(folder.facts.read_text("utf-8")) == believed
    assert unpack(folder, Envelope()).trust.verdict is SenderVerdict.UNVERIFIED
