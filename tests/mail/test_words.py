"""Header text: encoded words as they are really sent, and nothing unprintable handed on."""

import pytest

from watcher.mail.words import cleaned, legible, unfolded, words_decoded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?J=C3=BCrgen?=", "Jürgen"),
        (b"=?UTF-8?b?SsO8cmdlbg==?= and more", "Jürgen and more"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),  # RFC 2047 6.2: the blank between two words is none
        (b"=?utf-8?q?a?= =?iso-8859-1?q?=FC?=", "aü"),
        (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        (b"=?utf-8*de?q?gr=C3=BCn?=", "grün"),  # RFC 2231 5
        (b"=?utf-8?Q?=E4=BD?= =?utf-8?Q?=A0?=", "你"),  # a character split between two words
        (b"=?utf-8?B?5L0=?= =?utf-8?B?oA==?=", "你"),
        (b"=?utf-8?B?5L?= =?utf-8?B?2g?=", "你"),  # and base64 split within its four letters
        (b"=?iso-8859-1?Q?Die_Hasen_und_die_Fr\xf6sche?=", "Die Hasen und die Frösche"),  # F6
        (b"Die Hasen und die Fr\xf6sche", "Die Hasen und die Frösche"),  # F5
        ("Grüße 你好".encode(), "Grüße 你好"),
        (b"=?iso-8859-8-i?B?7vLw5A==?=", "מענה"),  # F4
        (b"=?gb2312?B?lqM=?=", "枺"),  # F8: a letter of GBK under the label of its subset
        (b"=?iso-2022-jp?B?GyRCJDkkXiRbGyhC?=", "すまほ"),
        (b"=?x-unknown?Q?Fr=F6sche?=", "Frösche"),
        (b"=?utf-8?Q?really? yes?=", "really? yes"),
        (b"=?utf-8?Q?no end", "=?utf-8?Q?no end"),
        (b"=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        (b"=?utf-8?B?!!!?=", ""),
        (b"a =?utf-8?Q??= b", "a  b"),
        (b"=?us-ascii\0?Q?x?=", "x"),  # F17
        (b"=?punycode?Q?abc-xyz?=", "abc-xyz"),  # never a codec that takes quadratic time
    ],
)
def test_words(value, text):
    assert words_decoded(value) == text


def test_octets_follow_the_charset_of_the_mail():
    assert words_decoded("Привет".encode("koi8-r"), "koi8-r") == "Привет"


def test_octets_in_utf8_need_no_charset():
    assert words_decoded("Привет".encode(), "koi8-r") == "Привет"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?Q?a=0D=0ABcc:_x=00=1B[31m?=", "a  Bcc: x[31m"),
        (b"=?utf-8?Q?=E2=80=AEexe.pdf?=", "exe.pdf"),  # RIGHT-TO-LEFT OVERRIDE
        (b"a\x07b", "ab"),
        (b"=?utf-7?Q?+2AA-x?=", "\ufffdx"),  # half a character
        (b"=?iso-8859-1?Q?a=85b?=", "a…b"),
    ],
)
def test_nothing_unprintable(value, text):
    assert words_decoded(value) == text


def test_cleaning_keeps_what_joins_letters():
    assert cleaned("می‌خواهم 👩‍💻") == "می‌خواهم 👩‍💻"


def test_body_text_keeps_its_lines():
    assert legible("a\nb\tc\u202e\ud800") == "a\nb\tc\u202e\ufffd"


def test_unfolding():
    assert unfolded(b" a\r\n b\n\tc \r\n") == b"a b\tc"


@pytest.mark.parametrize("value", [b"=?a?q?" * 20_000, b"=?utf-8?Q?a?=" * 10_000, b"=?" * 60_000, b"?=" * 60_000])
def test_hostile_values_end(value):
    assert words_decoded(value) is not None
