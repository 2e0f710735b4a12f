"""Each family of odd mail that is known from the test data of other parsers, as a careful mail program shows it."""

import base64

import pytest

from tests.mail.mails import lines, multipart, part, taken_apart

PLAIN = "Content-Type: text/plain; charset=utf-8"
HTML = "Content-Type: text/html; charset=utf-8"
CAT = "begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n"
INNER = lines("Subject: inner", PLAIN, "", "inner text")
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
CALENDAR = "Content-Type: text/calendar; method=REQUEST; charset=utf-8"
BASE64 = "Content-Transfer-Encoding: base64"

#: Label, codec that the sender really used, text.
CHARSETS = [
    *(("gb2312", "gbk", "镕基"), ("ks_c_5601-1987", "cp949", "똠방각하"), ("shift_jis", "cp932", "①髙橋")),
    *(("big5", "big5hkscs", "嘅啲"), ("windows-874", "cp874", "ภาษา…"), ("x-sjis", "cp932", "日本")),
    *(("cp-850", "cp850", "grüße"), ("koi8-ru", "koi8-u", "Привіт"), ("x-mac-cyrillic", "mac-cyrillic", "Привет")),
    *(("iso-8859-8-i", "iso8859-8", "שלום"), ("iso-8859-1", "cp1252", "“quoted” €"), ("us-ascii", "utf-8", "Grüße")),
    *(("iso-2022-jp", "iso2022_jp", "すみません"), ("iso-2022-kr", "iso2022_kr", "안녕"), ("hz-gb-2312", "hz", "你好")),
    *(("unicode-1-1-utf-7", "utf-7", "Grüße"), ("utf-16", "utf-16", "Grüße"), ("mac", "mac-roman", "für")),
    *(("utf-8", "cp1252", "Frösche und Bäume"), ("no-such-charset", "cp1252", "Frösche sind grün")),
]  # fmt: skip

#: Mail; its plain text, its HTML, its attachments with their names and bytes.
MAILS = {
    "uuencode between text": (part(f"before\r\n{CAT}after\r\n", PLAIN), "before\nafter\n", None, [("cat.txt", b"Cat")]),
    "uuencode in base64": (
        part(base64.encodebytes(f"before\r\n{CAT}".encode()), PLAIN, BASE64),
        *("before\n", None, [("cat.txt", b"Cat")]),
    ),
    "yEnc stays": (part("=ybegin line=128 size=1 name=a\r\nk\r\n=yend size=1", PLAIN),
        "=ybegin line=128 size=1 name=a\nk\n=yend size=1", None, []),
    "a message, no disposition": (
        multipart(part("outer", PLAIN), part(INNER, "Content-Type: message/rfc822")), "outer", None, [(None, INNER)]),
    "a message in base64": (
        multipart(part(base64.encodebytes(INNER), "Content-Type: message/rfc822", BASE64)),
        *(None, None, [(None, INNER)]),
    ),
    "a digest": (multipart(b"\r\n" + INNER, part("intro", PLAIN), kind="digest"), "intro", None, [(None, INNER)]),
    "an inner multipart never closed": (
        multipart(multipart(part("t", PLAIN), boundary="i").replace(b"--i--\r\n", b""), part("x", "Content-Type: a/b")),
        *("t\n", None, [(None, b"x")]),
    ),
    "blanks before the dashes that close": (
        lines('Content-Type: multipart/mixed; boundary="b "', "", "--b ", PLAIN, "", "t", "--b --", "epilogue"),
        *("t", None, []),
    ),
    "an invitation": (
        multipart(part("t", PLAIN), part("<p>t", HTML), part(ICS, CALENDAR), kind="alternative"),
        *("t", "<p>t", [(None, ICS.encode())]),
    ),
    "empty parts": (
        multipart(b"\r\n", b"", part("", "Content-Type: a/b"), part("", PLAIN, "Content-Disposition: attachment")),
        *("", None, [(None, b""), (None, b"")]),
    ),
    "AppleDouble": (
        multipart(part("t", PLAIN), multipart(
            part("AAUWBw==", 'Content-Type: application/applefile; name="a.doc"', BASE64),
            part("AAAA", 'Content-Type: application/msword; name="a.doc"', BASE64), kind="appledouble", boundary="ad")),
        *("t", None, [("a.doc", b"\0\5\x16\7"), ("a.doc", b"\0\0\0")]),
    ),
    "a piece of a message": (
        part("Subject: x\r\n\r\nhalf", "Content-Type: message/partial; number=1; total=2; id=a"),
        *(None, None, [(None, b"Subject: x\r\n\r\nhalf")]),
    ),
    "a body elsewhere": (
        multipart(part("t", PLAIN), part("Content-Type: a/b\r\n\r\n", "Content-Type: message/external-body; URL=x")),
        *("t", None, [(None, b"Content-Type: a/b\r\n\r\n")]),
    ),
    "an HTML that is not the first of its relatives": (
        multipart(part("x", "Content-Type: image/png", "Content-ID: <i>"), part('<img src="cid:i">', HTML),
            kind='related; start="<r>"'),
        *("\n", '<img src="cid:i">', [(None, b"x")]),
    ),
    "a named text shown": (
        multipart(part("t", PLAIN), part("n", PLAIN, "Content-Disposition: inline; filename=n.txt")),
        *("t\n\nn", None, [("n.txt", b"n")]),
    ),
    "a named text attached": (
        multipart(part("t", PLAIN), part("n", PLAIN, "Content-Disposition: attachment; filename=n.txt")),
        *("t", None, [("n.txt", b"n")]),
    ),
    "no semicolon before the name": (
        multipart(part("t", PLAIN), part("n", PLAIN, 'Content-Disposition: attachment filename="n.txt"')),
        *("t", None, [("n.txt", b"n")]),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("label", "codec", "text"), CHARSETS, ids=[label for label, _, _ in CHARSETS])
@pytest.mark.parametrize("encoding", ["8bit", "base64"])
def test_charset(tmp_path, label, codec, text, encoding):
    data = text.encode(codec)
    body = base64.encodebytes(data) if encoding == "base64" else data
    mail = part(body, f"Content-Type: text/plain; charset={label}", f"Content-Transfer-Encoding: {encoding}")
    assert taken_apart(tmp_path, mail).text.removesuffix("\n") == text


@pytest.mark.parametrize(("raw", "text", "html", "files"), MAILS.values(), ids=MAILS.keys())
def test_mail(tmp_path, raw, text, html, files):
    found = taken_apart(tmp_path, raw)
    assert (found.text, found.html) == (text, html)
    assert list(zip(found.names, found.files, strict=True)) == files
