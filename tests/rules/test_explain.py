from dataclasses import replace

import pytest

from tests.rules.conftest import MAIL, NOW
from tests.rules.test_match import BODY, FITTING, OTHER
from watcher.config import Rule
from watcher.model import Action, Verb
from watcher.rules.explain import explain
from watcher.rules.route import fitting
from watcher.rules.sight import whole

SIGHT = whole(MAIL, BODY, NOW)


def reason(when, written, sight=SIGHT):
    (told,) = explain([Rule(name="r", when=when(written))], sight)
    return ("yes: " if told.fits else "no: ") + told.reason


TYPES = ", ".join(each.type for each in MAIL.attachments)
CC = "cc is boss@example.com, wanted a@b"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("from = '*@other.example'", "no: from is Billing@Supplier.example, wanted *@other.example"),
        ("from = ['a@b', 'c@d']", "no: from is Billing@Supplier.example, wanted a@b or c@d"),
        ("to = 'x@y'", "no: to is support@example.com, bob@example.com, boss@example.com, wanted x@y"),
        ("subject = '*offer*', body = 'x'", 'no: subject is "Your Invoice 66", wanted *offer*'),
        ("body = 'x'", 'no: body is "Dear all, please pay order 66 today.", wanted x'),
        ("subject = { regex = '^a' }", "no: subject is \"Your Invoice 66\", wanted { regex = '^a' }"),
        ("header = { X-Spam = '*' }", "no: header X-Spam is absent, wanted *"),
        ("reply = '*'", "no: reply is absent, wanted *"),
        ("size = '>1M'", "no: size is 20000 bytes, wanted >1M"),
        ("age = ['>1d', '<5m']", "no: age is 2h, wanted >1d or <5m"),
        ("kind = ['list', 'bounce']", "no: kind is normal, wanted list or bounce"),
        ("attachment = '*.xls'", 'no: attachment is "Invoice 66.PDF", "part-2.png", "list.doc", wanted *.xls'),
        ("attachment_type = 'a/b'", f"no: attachment_type is {TYPES}, wanted a/b"),
        ("any = [{ cc = 'a@b' }, { kind = 'list' }]", f"no: none of `any`: {CC}; kind is normal, wanted list"),
        ("all = [{ from = '*' }, { subject = 'x' }]", 'no: of `all`: subject is "Your Invoice 66", wanted x'),
        ("not = { folder = 'inbox' }", "no: what `not` excludes holds: folder is INBOX, as wanted inbox"),
        ("account = 'support', folder = 'in*'", "yes: account is support; folder is INBOX, as wanted in*"),
        ("any = [{ from = 'a@b' }, { subject = '*66' }]", 'yes: of `any`: subject is "Your Invoice 66", as wanted *66'),
        ("not = { folder = 'x' }", "yes: what `not` excludes does not hold: folder is INBOX, wanted x"),
    ],
)  # fmt: skip
def test_reasons(when, written, words):
    assert reason(when, written) == words


def test_long_and_many_values_are_cut(when):
    received = tuple(("Received", f"{number} " + "x" * 5000) for number in range(9))
    words = reason(when, "header = { received = 'y' }", whole(replace(MAIL, headers=received), "", NOW))
    assert words.count("…") == 3
    assert "6 more, wanted y" in words
    assert len(words) < 300


def test_what_nobody_knows(when):
    """The age of a mail that came from nowhere."""
    assert (
        reason(when, "age = '<1h'", whole(replace(MAIL, received=None), "", NOW)) == "no: age is not known, wanted <1h"
    )


def test_what_stop_hides(when):
    rules = [
        Rule(name="one", when=when("from = 'x@y'"), stop=True),
        Rule(name="two", when=when("from = '*'"), run=("a",), then=(Action(Verb.SEEN),), stop=True),
        Rule(name="three", run=("b",)),
        Rule(name="four", when=when("from = 'x@y'"), stop=True),
    ]
    told = explain(rules, SIGHT)
    assert [(each.fits, each.hidden_by) for each in told] == [(False, ""), (True, ""), (True, "two"), (False, "two")]
    assert (told[1].run, told[1].then, told[2].reason) == (("a",), (Action(Verb.SEEN),), "it is for every mail")


def test_an_explanation_is_what_decides(when):
    """Each condition there is in these tests: the explanation says what the rule does."""
    rules = [Rule(name=str(number), when=when(written)) for number, written in enumerate([*FITTING, *OTHER])]
    assert [each.rule for each in explain(rules, SIGHT) if each.fits] == [rule.name for rule in fitting(rules, SIGHT)]
    assert all(each.reason for each in explain(rules, SIGHT))
