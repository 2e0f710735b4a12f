"""What is asked for is what readers find: in four libraries, in every script, whatever an attacker chose."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from pathlib import Path
from urllib.parse import unquote

import fast_mail_parser
import mailparser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.outbox.conftest import enclosed
from watcher.mail.raw import Raw
from watcher.mail.trust import TRUST_NOBODY
from watcher.mail.unpack import unpack
from watcher.model import Address, Envelope, MailFolder
from watcher.outbox import fields
from watcher.outbox.compose import LOOP, Letter, Stamp, compose, prove
from watcher.outbox.enclosures import LetterRefused
from watcher.outbox.fields import AddressRefused, clean, display
from watcher.outbox.wording import check, has_long_line, is_plain

STAMP = Stamp("<key.1@example.com>", datetime(2026, 11, 21, 12, tzinfo=UTC), "state-1")
ANN = Address("Ann", "ann@example.com")
BOB = Address("", "bob@example.org")

WORDS = [
    "Invoice 7",
    "发票与收据 十一月",
    "見積書のご確認 第2回",
    "فاتورة شهر نوفمبر",
    "🧾 receipt 👩‍👩‍👧‍👦",
    "Grüße, Ærøskøbing",
    "x" * 300,
    "报" * 300,
    "say \"hi\" \\ and 'so'",
    '"' * 60,
    "semi;colon=and*stars%20'",
    "two  blanks   and   more",
    "Ünï " * 40,
]


def letter(**other) -> Letter:
    return Letter(**{"sender": ANN, "to": (BOB,), "subject": "Hi", "text": "Hello\n", **other})


@pytest.mark.parametrize("words", WORDS)
def test_four_readers_find_subject_names_and_files(words, tmp_path):
    data = bytes(range(256))
    file = enclosed(words + ".pdf", "application/pdf", data)
    asked = letter(subject=words, to=(Address(words, "bob@example.org"),), enclosures=(file,), text=f"{words}\n")
    mail = compose(asked, STAMP)
    assert mail.isascii()
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    wanted = clean(words)

    stdlib = message_from_bytes(mail, policy=policy.default)
    assert stdlib["Subject"] == wanted
    assert [one.addr_spec for one in stdlib["To"].addresses] == ["bob@example.org"]
    ((name, _),) = getaddresses([message_from_bytes(mail)["To"]])  # the newer reader puts blanks between encoded words
    assert str(make_header(decode_header(name))) == display(words)
    (attached,) = stdlib.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == (file.name, data)
    assert stdlib.get_body(("plain",)).get_content().replace("\r\n", "\n") == words + "\n"

    other = mailparser.parse_from_bytes(mail)
    assert other.subject == wanted
    assert other.to == [(display(words), "bob@example.org")]
    assert [one["filename"] for one in other.attachments] == [file.name]

    stranger = fast_mail_parser.parse_email(mail)  # written in Rust; the two above stand on stdlib
    assert stranger.subject == wanted
    assert [(one.display_name, one.address) for one in stranger.to] == [(display(words), "bob@example.org")]
    assert [(one.filename, one.content) for one in stranger.attachments] == [(file.name, data)]

    raw = MailFolder(tmp_path)
    raw.raw.write_bytes(mail)
    own = unpack(raw, Envelope(), policy=TRUST_NOBODY)
    assert own.subject == wanted
    assert [(one.name, one.address) for one in own.to] == [(display(words), "bob@example.org")]
    assert [one.name for one in own.attachments] == [file.name]
    assert Path(tmp_path, own.attachments[0].path).read_bytes() == data


def test_what_looks_encoded_is_read_as_it_is():
    words = "=?utf-8?b?SGk=?= is no encoded word"
    mail = compose(letter(subject=words, enclosures=(enclosed(words, "text/plain", b""),)), STAMP)
    read = message_from_bytes(mail, policy=policy.default)
    assert read["Subject"] == words
    assert next(read.iter_attachments()).get_filename() == words


@pytest.mark.parametrize("words", WORDS)
def test_each_line_of_a_long_file_name_can_be_read_by_itself(words):
    """As many readers decode it: no character is cut in two."""
    value = fields.disposition("attachment", f"{words}.pdf")
    for line in re.findall(r"\*=(?:utf-8'')?(\S*?);?$", value, re.MULTILINE):
        assert "\ufffd" not in unquote(line)
    assert max(map(len, value.split("\r\n"))) <= 76


def test_outlook_and_qq_find_the_name_of_a_file_where_they_look_for_it():
    """RFC 2047 within Content-Type, RFC 2231 in Content-Disposition."""
    mail = compose(letter(enclosures=(enclosed("发票.pdf", "application/pdf", b"x"),)), STAMP).decode()
    assert re.search(r'Content-Type: application/pdf;\r\n name="=\?utf-8\?b\?[^"]*"', mail)
    assert "filename*=utf-8''%E5%8F%91%E7%A5%A8.pdf" in mail


def test_text_html_images_and_files_nest_as_programs_expect_it():
    logo = enclosed("logo.png", "image/png", b"\x89PNG", content_id="logo@here")
    page = enclosed("a.txt", "text/plain", b"as it is\nline\n")
    mail = compose(letter(html='<img src="cid:logo@here">', enclosures=(page, logo)), STAMP)
    read = message_from_bytes(mail, policy=policy.default)
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "text/plain",
    ]
    assert list(read.walk())[-1].get_payload(decode=True) == b"as it is\nline\n"


def test_html_alone_is_no_multipart():
    mail = message_from_bytes(compose(letter(text="", html="<p>Hi"), STAMP))
    assert mail.get_content_type() == "text/html"


def test_threading_and_loop_fields():
    thread = tuple(f"<{number}@example.org>" for number in range(40))
    mail = message_from_bytes(
        compose(letter(in_reply_to=thread[-1], references=thread, automatic="auto-replied"), STAMP)
    )
    assert mail["In-Reply-To"] == thread[-1]
    kept = mail["References"].split()
    assert (kept[0], kept[-1], len(kept)) == (thread[0], thread[-1], 20)
    assert (mail["Message-ID"], mail[LOOP]) == (STAMP.message_id, "state-1")
    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"]) == ("auto-replied", "All")
    assert mail["Date"] == "Sat, 21 Nov 2026 12:00:00 +0000"


def test_a_mail_within_a_mail_stays_as_it_is():
    inner = b"Subject: inner\r\n\r\n.\r\nFrom here\r\n"
    mail = compose(letter(enclosures=(enclosed("m.eml", "message/rfc822", inner),)), STAMP)
    assert inner in mail
    for broken in (b"Subject: bare\n\n8bit \xff\n", b"From here Mon Jan 1\r\nSubject: x\r\n\r\n"):
        read = message_from_bytes(compose(letter(enclosures=(enclosed("m.eml", "message/rfc822", broken),)), STAMP))
        assert read.get_payload(1).get_payload(decode=True) == broken


def test_only_an_address_that_needs_it_makes_the_mail_utf8():
    mail = compose(letter(to=(Address("Ли", "用户@例子.中国"),)), STAMP)
    assert "用户@xn--fsqu00a.xn--fiqs8s".encode() in mail
    assert compose(letter(to=(Address("", "a@例子.中国"),)), STAMP).isascii()


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@", "@b", "a b@c", "a@b c", "a@b\r\nBcc: x@y", "a@-b", "a@b..c", "<a@b>", "a,b@c", '"a"@b', "a@b@c"],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(AddressRefused) as refusal:
        compose(letter(to=(Address("x", address),)), STAMP)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "address", ["a\u202e@b", "a\0@b", ".a@b", "a@b\u2028c", "a\ud800@b", "a(c)@b", "x" * 65 + "@b"]
)
def test_addresses_with_what_hides_or_ends_are_refused(address):
    test_what_is_no_address_is_refused(address)


@pytest.mark.parametrize(
    "wrong",
    [
        {"in_reply_to": "<a@b>\r\nBcc: x@y"},
        {"references": ("<a b@c>",)},
        {"to": ()},
        {"enclosures": (enclosed("a", "text/plain\r\nX: y", b""),)},
        {"enclosures": (enclosed("a", "multipart/mixed", b""),)},
        {"enclosures": (enclosed("a", "image/png", b"", content_id="x@y"),)},
    ],
)
def test_what_would_break_out_is_refused(wrong):
    with pytest.raises(LetterRefused):
        compose(letter(**wrong), STAMP)


@pytest.mark.parametrize("wire", [b"a\nb\r\n", b"a\rb\r\n", b"x" * 999 + b"\r\n", b"a\r\n.\r\n\n"])
def test_what_a_server_may_read_otherwise_is_not_let_go(wire):
    with pytest.raises(LetterRefused):
        check([wire])


def test_a_mail_that_reads_otherwise_is_found_out(monkeypatch):
    """The proof is worth something: what an encoder might do wrong does not pass."""
    asked = letter(enclosures=(enclosed("a.txt", "text/plain", b"x"),))
    good = compose(asked, STAMP)
    monkeypatch.setattr(fields, "text", lambda name, words: "other\r\nBcc: eve@example.net")
    with pytest.raises(LetterRefused, match="Bcc"):
        compose(asked, STAMP)
    monkeypatch.undo()
    assert good


ANY = st.text(max_size=200)


@settings(max_examples=60, deadline=None)
@given(subject=ANY, name=ANY, file=ANY, text=ANY, html=ANY)
@example("a\r\nBcc: x@y", "b\nTo: y@z", 'c"\r\n\r\nbody', "\r\n.\r\nMAIL FROM:<x>\r\n", "\r.\r")
@example("=?utf-8?q?x?=", "=?x?q?", "=?utf-8?b?!?=", "\u2028", "\x85")
def test_any_words_give_exactly_the_fields_and_people_meant(subject, name, file, text, html):
    asked = letter(
        subject=subject,
        sender=Address(name, "ann@example.com"),
        to=(Address(name, "bob@example.org"), Address(subject, "eve@example.org")),
        enclosures=(enclosed(file, "application/pdf", text.encode("utf-8", "replace")),),
        text=text,
        html=html,
    )
    mail = compose(asked, STAMP)
    assert mail.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", mail)
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    head = message_from_bytes(mail)
    assert head.keys() == ["Date", "From", "To", "Subject", "Message-ID", LOOP, "MIME-Version", "Content-Type"]
    people = [address for _, address in getaddresses([head["From"], head["To"]])]
    assert people == ["ann@example.com", "bob@example.org", "eve@example.org"]


@settings(max_examples=100, deadline=None)
@given(address=st.text(max_size=60) | st.emails())
@example("a@b\r\n")
def test_any_address_is_one_recipient_or_refused(address):
    try:
        mail = compose(letter(to=(Address("x", address),)), STAMP)
    except AddressRefused:
        return
    to = message_from_bytes(mail.decode().encode("utf-8"), policy=policy.SMTPUTF8)["To"]
    assert len(to.addresses) == 1
    assert not any(c.isspace() for c in fields.normal(address))


def test_the_difference_names_what_differs():
    asked = letter()
    mail = compose(asked, STAMP)
    for before, after in ((b"Subject: Hi", b"Subject: Ho"), (b"bob@", b"eve@"), (b"Hello", b"Holla")):
        assert before in mail
        with pytest.raises(LetterRefused):
            prove(Raw(mail.replace(before, after)), asked, STAMP)


@pytest.mark.parametrize(
    ("mail", "long"),
    [
        (b"", False),
        (b"a" * 998, False),
        (b"a" * 998 + b"\r\n" + b"b" * 998 + b"\r\n", False),
        (b"a" * 999, True),
        (b"x\r\n" + b"a" * 999 + b"\r\n", True),
        (b"x\r\n" * 5000 + b"a" * 999, True),
        (b"x\r\n" * 5000 + b"a" * 998, False),
        (b"\r\n" * 5000, False),
    ],
)
def test_lines_are_measured_without_their_end(mail, long):
    assert has_long_line(mail) is long
    assert long == any(len(line) > 998 for line in mail.split(b"\r\n"))


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\r", b"\n", b"\r\n", b"x" * 998, b"y" * 500]), max_size=30))
@example([b"a\r", b"\nb\r\n"])
@example([b"a\r", b"b\r\n"])
@example([b"x" * 600, b"x" * 600])
@example([b"\r"])
def test_what_may_go_does_not_depend_on_where_it_is_cut(cut):
    def may_go(mail):
        try:
            check(mail)
        except LetterRefused as refusal:
            return str(refusal)
        return ""

    assert bool(may_go(cut)) == bool(may_go([b"".join(cut)]))
    assert is_plain(cut) == is_plain([b"".join(cut)])


def test_a_mail_with_a_nul_is_enclosed_as_a_file():
    assert not is_plain([b"Subject: a\r\n\r\n\0\r\n"])
    assert is_plain([b"Subject: a\r\n\r\nb\r\n"])
    with pytest.raises(LetterRefused, match="NUL"):
        check([b"Subject: a\r\n\r\n\0\r\n"])
