"""Charsets: the superset that mailers mean, the escape that gives it away, the guess; never a silent U+FFFD."""

import pytest

from watcher.mail.charset import Reading, codec_of, reading


def read(data: bytes, label: str | None, hint: str | None = None) -> str:
    found = reading(lambda: (data[:7], data[7:]), label, hint=hint, sample=20_000)
    return data.decode(found.codec, found.errors)


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("gb2312", "gbk", "朱镕基"),  # F8, and the rest of its row
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("euc-kr", "cp949", "똠방각하"),
        ("shift_jis", "cp932", "①髙"),
        ("x-sjis", "cp932", "①髙"),
        ("big5", "big5hkscs", "啫喱"),
        ("windows-874", "cp874", "สวัสดี"),
        ("tis-620", "cp874", "สวัสดี"),
        ("cp-850", "cp850", "Größe"),
        ("koi8-ru", "koi8-u", "Привіт"),
        ("x-mac-cyrillic", "mac-cyrillic", "Привет"),
        ("iso-8859-8-i", "iso8859-8", "שלום"),
        ("iso-8859-1", "cp1252", "“quoted” €"),
        ("iso-8859-9", "cp1254", "“İstanbul”"),
        ("us-ascii", "utf-8", "Größe"),
        ("iso-2022-jp", "iso2022_jp", "すみません"),  # F2
        ("iso-2022-kr", "iso2022_kr", "안녕"),
        ("hz-gb-2312", "hz", "你好"),
        ("utf-7", "utf-7", "grün"),
        ("unicode-1-1-utf-7", "utf-7", "grün"),
        ("utf-16", "utf-16", "grün"),
        ("utf8", "utf-8", "grün"),
        (' "UTF-8" ', "utf-8", "grün"),
        ("us-ascii\0", "ascii", "plain"),  # F17
    ],
)
def test_label(label, codec, text):
    assert read(text.encode(codec), label) == text


@pytest.mark.parametrize(
    "label",
    [
        *("punycode", "idna", "hex", "base64", "zlib", "bz2", "rot13", "undefined", "mbcs", "unicode_escape", "oem"),
        *("raw_unicode_escape", "", "\0", "x" * 100_000, "no-such", "größe", "utf-8\ud800"),
    ],
)
def test_what_is_no_charset_is_never_used(label):
    assert codec_of(label) is None
    assert read(b"text", label) == "text"


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        (None, "utf-8", "Grüße"),
        (None, "cp1252", "Die Hasen und die Frösche"),  # F7
        (None, "cp1252", "determinerà"),
        (None, "iso2022_jp", "すみません"),
        (None, "iso2022_kr", "안녕하세요"),
        ("us-ascii", "iso2022_jp", "すみません"),
        ("x-unknown", "cp1252", "determinerà"),
        ("utf-8", "cp1252", "Die Hasen und die Frösche"),
        ("utf-8", "cp1252", "Réunion à 14h, été"),
        ("utf-16", "ascii", "no wide letters at all"),
        ("utf-16", "utf-16-le", "wide letters without their mark"),
        ("utf-16le", "ascii", "no wide letters at all"),
        (None, "utf-16", "größer"),
        (None, "utf-16-be", "größer"),
        (None, "cp1251", "Привет, как дела? Увидимся завтра вечером."),
        (None, "big5", "這是一個測試郵件,請不要回覆。"),
        (None, "cp932", "日本語のテストメールです。"),
        (None, "gb18030", "这是一封测试邮件,请不要回复。"),
    ],
)
def test_the_bytes_are_believed_before_the_label(label, codec, text):
    assert read(text.encode(codec), label) == text


def test_a_charset_named_in_the_text_helps():
    assert read("Zażółć".encode("iso8859-2"), None, hint="iso-8859-2") == "Zażółć"


def test_a_few_bad_bytes_are_marked_and_told():
    data = "Grüße, schöne Wünsche, äöü".encode() + b"\xff"
    found = reading(lambda: (data,), "utf-8", sample=1000)
    assert found.errors == "replace"
    assert "U+FFFD" in (found.remark or "")


def test_a_wrong_label_is_told():
    assert reading(lambda: (b"a\xe0",), "utf-8", sample=1000).remark == (
        "charset does not fit the text: read as cp1252"
    )
    assert reading(lambda: (b"a",), "x-no", sample=1000).remark == "charset is unknown: read as utf-8"


def test_a_missing_label_is_no_fault():
    assert reading(lambda: (b"a",), None, sample=1000) == Reading("utf-8")


def test_all_bytes_can_be_read():
    data = bytes(range(256))
    assert "\ufffd" not in read(data, "iso-8859-1")
    assert len(read(data, "iso-8859-1")) == 256
