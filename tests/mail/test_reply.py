# ruff: noqa: RUF001 - mails of many languages
"""The newest part of a text: cut out where it is clear, never lost, never slow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.mail.reply import newest

KIB = 1024


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("Thanks.\n\nOn Mon, Oct 5, 2026 at 10:00 AM Ann <a@b.example> wrote:\n> Hi\n> there\n", "Thanks."),
        ("Thanks.\n\nOn Mon, Oct 5, 2026 at 10:00 AM Ann\n<a@b.example> wrote:\n\n> Hi\n", "Thanks."),
        ("Ja.\n\nAm 05.10.2026 um 10:00 schrieb Ann <a@b.example>:\n> Hallo\n", "Ja."),
        ("Oui.\n\nLe lun. 5 oct. 2026 à 10:00, Ann <a@b.example> a écrit :\n> Salut\n", "Oui."),
        ("Sí.\n\nEl lun, 5 oct 2026 a las 10:00, Ann (<a@b.example>) escribió:\n> Hola\n", "Sí."),
        ("Да.\n\nпн, 5 окт. 2026 г. в 10:00, Ann <a@b.example>:\n> Привет\n", "Да."),
        ('好的\n\n在 2026-10-05 10:00:00，"Ann" <a@b.example> 写道：\n你好\n', "好的"),
        ("好的\n\n------------------ 原始邮件 ------------------\n发件人: Ann\n你好\n", "好的"),
        ("はい\n\n2026年10月5日(月) 10:00 Ann <a@b.example>:\n> こんにちは\n", "はい"),
        ("네\n\n2026년 10월 5일 (월) 오전 10:00, Ann <a@b.example>님이 작성:\n> 안녕\n", "네"),
        ("Done.\n\nFrom: Ann <a@b.example>\nSent: Monday\nTo: Bob\nSubject: x\n\nold\n", "Done."),
        ("Done.\n\n-----Original Message-----\nFrom: Ann\nTo: Bob\nSubject: x\n\nold\n", "Done."),
        ("FYI\n\n---------- Forwarded message ---------\nFrom: Ann <a@b.example>\nTo: Bob\nSubject: x\n\nold", "FYI"),
        ("Yes.\n\nBest regards\nAnn\nACME Ltd\n", "Yes."),
        ("Ja.\n\nMit freundlichen Grüßen\nAnn\n", "Ja."),
        (
            "Yes.\n-- \nAnn\n+49 123\nhttps://b.example, a longer line than signatures without delimiter may have\n",
            "Yes.",
        ),
        ("Yes.\n\nSent from my iPhone\n", "Yes."),
        ("  Yes.  \r\n\r\n\r\n\r\nNo.\t\r\n", "Yes.\n\nNo."),
    ],
)
def test_what_is_old_goes(text, reply):
    assert newest(text) == reply


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("On Mon, Ann wrote:\n> why?\n> when?\n\nBecause.\n", "Because."),
        ("> why?\n\nBecause.\n\n> when?\nNow.\n", "Because.\n\nNow."),
        ("Please buy\n- milk\n- bread\n- tea\n", "Please buy\n- milk\n- bread\n- tea"),
        ("Hello\nThanks, I'll do that.\nBut when?\n", "Hello\nThanks, I'll do that.\nBut when?"),
        ("Hello\nBest, what a day that was for all of us who came by train\nAnn", None),
        ("Hello\nWarning: the mail server is down. Mail me.\nNow", None),
        ("Se detta\n/etc/passwd\nMed vänliga hälsningar skrev hon: det är en fil.", None),
        ("Please write to Ann <a@b.example> in 2026.\nThank you", None),
        ("From: Ann <a@b.example>\nDate: x\nSubject: y\nTo: z\n\nonly what was forwarded", "only what was forwarded"),
        ("> only\n> a quote\n", "> only\n> a quote"),
        ("-- \nonly a signature", "--\nonly a signature"),
        ("word " * 300, None),
        ("a" * 1000, None),
        ("\ue000 " * 300, None),
        ("x", None),
    ],
)
def test_what_is_new_stays(text, reply):
    assert newest(text) == (reply or text.strip())


@pytest.mark.parametrize("text", ["", " ", "\r\n\t\n", "\n" * 100_000])
def test_a_blank_text_has_none(text):
    assert newest(text) is None


def test_only_the_beginning_of_a_long_text_is_looked_at():
    text = "new\n\nOn Mon, Ann wrote:\n" + "> old\n" * 500_000
    assert newest(text) == "new"
    assert len(newest("word\n" * 500_000)) <= 64 * KIB


SIGNS = "schrieb napsal skrev escribió a écrit ha scritto 年 제목: schreef Temat: 写道\n"

#: Each of these, without the caps, takes the library from seconds to hours.
WORST = [
    *("On ", "On Monday I wrote to you. ", " \n", "\n", ">", "> ", ">\n", "From: a\n", "To:", "--\n"),
    *("_" * 32 + "\n", "\n\n" + "_" * 40, "wrote:\n", "On\n", "Am schrieb ", "Sent from my ", "Disclaimer: mail ", "a"),
    *(
        "CAUTION: mail ",
        "Thanks,\n",
        "On x wrote:\n",
        "x\nBest regards\n",
        " " * 50 + "b",
        "2026年1月1日",
        "Le a écrit ",
    ),
    *(
        "On a\nb wrote\n",
        "Den 1 skrev ",
        "From: \n\n",
        "* ",
        "\t\n",
        "2026 <a@b",
        "写道" * 90 + ":\n",
        "-" * 198 + "\n",
    ),
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", WORST, ids=repr)
def test_no_text_takes_long(piece):
    assert len(WORST) >= 19
    for before in ("", SIGNS):
        newest(before + piece * (256 * KIB // len(piece)))


PIECES = st.sampled_from(
    [
        "On ",
        "wrote:",
        "> ",
        "\n",
        "\n\n",
        "From: ",
        "To: ",
        "-- \n",
        "Thanks,",
        "word ",
        "a@b.example",
        "<",
        ">",
        "2026",
        ":",
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=200))
def test_any_text_with_words_has_a_newest_part_made_of_it(text):
    reply = newest(text)
    assert (reply is None) == (not text.strip())
    assert set("".join((reply or "").split())) <= set("".join(text.split()))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", " ", "\n"]), max_size=300).map("".join))
def test_words_that_are_no_quote_all_stay(text):
    assert (newest(text) or "").split() == text.split()
