"""Content-* fields: types, file names in every form they are sent, boundaries."""

import pytest

from watcher.mail.content import Content, described
from watcher.mail.defects import Defects
from watcher.mail.header import Field, Header


def content(defects: Defects | None = None, **fields: str | bytes) -> Content:
    header = Header(
        tuple(
            Field(name.replace("_", "-"), value if isinstance(value, bytes) else value.encode())
            for name, value in fields.items()
        )
    )
    return described(header, "text/plain", defects or Defects(9))


def name_of(disposition: str | bytes, type_: str | bytes = "application/pdf") -> str | None:
    return content(content_type=type_, content_disposition=disposition).name


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("text/html", "text/html"),
        ("TEXT/HTML; charset=x", "text/html"),
        (" text/html ;;; charset=x", "text/html"),
        ("text/html (comment)", "text/html"),
        ('"text/html"', "text/html"),
        ("text/html charset=utf-8", "text/html"),
        ("text", "text/plain"),
        ("html", "text/html"),
        ("multipart", "multipart/mixed"),
        ("not a type", "text/plain"),  # RFC 2045 5.2
        ("", "text/plain"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
def test_type(field, kind):
    assert content(content_type=field).type == kind


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename=a.pdf", "a.pdf"),
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ("attachment; filename=a b.pdf", "a b.pdf"),
        ('attachment; filename="a\\"b\\\\c.pdf"', 'a"b\\c.pdf'),
        ('attachment; filename="C:\\temp\\new.pdf"', "C:\\temp\\new.pdf"),
        ('attachment; filename="a;b.pdf"; size=3', "a;b.pdf"),
        ('attachment; filename="open.pdf', "open.pdf"),
        ("attachment; filename = a.pdf ; x=y", "a.pdf"),
        ("attachment; FILENAME=a.pdf", "a.pdf"),
        ("attachment;filename=a.pdf;filename=b.pdf", "a.pdf"),
        ("attachment; filename*=utf-8''%E4%BD%A0.pdf", "你.pdf"),
        ("attachment; filename*=UTF-8'en'a%20b.pdf", "a b.pdf"),
        ("attachment; filename*=iso-8859-1''%FCber.pdf", "über.pdf"),
        ("attachment; filename*0=a; filename*1=b.pdf", "ab.pdf"),
        ("attachment; filename*1*=%A0.pdf; filename*0*=utf-8''%E4%BD", "你.pdf"),  # RFC 2231 4.1, a character split
        ("attachment; filename*0*=utf-8''%C3%BC; filename*1=ber.pdf", "über.pdf"),
        ("attachment; filename*=%C3%BC.pdf", "ü.pdf"),
        ("attachment; filename*=no-such''%C3%BC.pdf", "ü.pdf"),
        ('attachment; filename="=?utf-8?B?w7xiZXIucGRm?="', "über.pdf"),  # RFC 2047 5 forbids it, all do it
        ("attachment; filename==?utf-8?Q?=C3=BCber.pdf?=", "über.pdf"),
        ('attachment; filename="=?utf-8?Q?=C3=BC?= =?utf-8?Q?ber.pdf?="', "über.pdf"),
        ("attachment; filename*0==?utf-8?Q?=C3; filename*1==BC.pdf?=", "ü.pdf"),
        (b"attachment; filename=HasenundFr\xf6sche.txt", "HasenundFrösche.txt"),  # F18
        ("attachment; filename=über.pdf", "über.pdf"),
        ("attachment; filename*=utf-8''a%0D%0Ab%00%E2%80%AEc", "a  bc"),
        ('attachment filename="a.pdf"', "a.pdf"),
        ('attachment; size="3" filename="a.pdf" x=y', "a.pdf"),
        ('filename="a.pdf"', "a.pdf"),
        ('attachment; filename="a "b".pdf"; x=y', 'a "b".pdf'),
        ("attachment; filename*=utf-8''\"a.pdf\"", "a.pdf"),
        ("attachment", None),
        ("attachment; filename=", None),
        ('attachment; filename=""', None),
    ],
)
def test_name(disposition, name):
    assert name_of(disposition) == name


def test_name_of_the_type_is_the_second_choice():
    assert name_of("attachment", 'application/pdf; name="a.pdf"') == "a.pdf"
    assert name_of("attachment; filename=b.pdf", 'application/pdf; name="a.pdf"') == "b.pdf"


def test_two_names_are_told():
    # F19
    defects = Defects(9)
    found = content(defects, content_disposition="attachment; filename=good.txt; filename*=utf-8''evil.exe")
    assert found.name == "evil.exe"
    assert defects.listed() == ("an attachment has two different file names: the extended one was taken",)


@pytest.mark.parametrize(
    "field",
    [
        "boundary=ab",
        "boundary*=us-ascii''a%62",
        "boundary*0=a; boundary*1=b",
        "boundary*0*=\"us-ascii''a\"; boundary*1=b",
    ],
)
def test_boundary_in_any_form(field):
    assert content(content_type=f"multipart/mixed; {field}").boundaries == (b"ab",)


def test_charset_in_extended_form():
    assert content(content_type="text/plain; charset*=us-ascii'en'utf-8").charset == "utf-8"


def test_content_id_loses_its_brackets():
    assert content(content_id="<a@b>").content_id == "a@b"
    assert content(content_id="").content_id is None


def test_unknown_encoding_is_told():
    defects = Defects(9)
    assert content(defects, content_transfer_encoding="x-gzip64").encoding == ""
    assert "unknown Content-Transfer-Encoding" in defects.listed()[0]


@pytest.mark.parametrize(
    "field",
    [
        *(b";" * 64_000, b'a/b; x="' * 8000, b'a/b; x="\\' * 8000, b"a/b" + b"; n*1=x" * 9000, b"(" * 64_000),
        *(b"a/b; name*0*=" + b"'" * 60_000, b"a/b" + b"; name*%d*=utf-8''%%" % 7 * 3000, b"a/b; " + b"x" * 60_000),
    ],
)
def test_hostile_fields_end(field):
    assert content(content_type=field, content_disposition=field)


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("attachment; filename=a", "attachment"),
        ("ATTACHMENT filename=a", "attachment"),
        ('"inline"', "inline"),
        ("filename=a", ""),
        ("; filename=a", ""),
        ("", ""),
    ],
)
def test_disposition(field, word):
    assert content(content_disposition=field).disposition == word


@pytest.mark.parametrize(
    "piece", [b";", b" ", b"a ", b"; ", b'a="', b'a="\\"', b'a=""x', b'; a="b" ', b"a" + b" " * 99]
)
def test_no_field_takes_long(piece):
    content(content_type=piece * (60_000 // len(piece)), content_disposition=piece * (60_000 // len(piece)))
