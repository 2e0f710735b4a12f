from dataclasses import replace

import pytest

from tests.rules.conftest import MAIL, NOW
from watcher.model import Address
from watcher.rules.match import Answer, judge
from watcher.rules.sight import BODY_LIMIT, whole


def matches(when, message, body):
    answer = judge(when, whole(message, body, NOW))
    assert answer is not Answer.UNKNOWN
    return answer is Answer.YES


BODY = "Dear all,\nplease pay order 66 today.\n"

FITTING = [
    "from = '*@supplier.example'",
    "from = 'billing@supplier.example'",
    "from = ['nobody@x', '*@supplier.example']",
    "from = 'ann supplier'",
    "from = '*supplier*'",
    "from = { regex = '^billing@' }",
    "from = { regex = '^ann' }",
    "to = 'bob@example.com'",
    "to = 'boss@example.com'",
    "to = 'Bob'",
    "cc = 'boss@example.com'",
    "subject = '*invoice*'",
    "subject = ['a', 'your invoice ??']",
    "subject = { regex = 'invoice \\d+$' }",
    "header = { received = 'from B' }",
    "header = { X-Empty = '*' }",
    "header = { x-empty = { regex = '^$' } }",
    "header = { Delivered-To = '*+orders@*', Subject = '*66' }",
    "body = '*order 66*'",
    "body = { regex = '(?m)^please' }",
    "folder = 'inbox'",
    "account = ['other', 'supp*']",
    "size = '>10k'",
    "size = '10k..30k'",
    "size = ['<1k', '>=20000']",
    "age = '>1h'",
    "age = ['<5m', '1h..3h']",
    "attachment = '*.pdf'",
    "attachment = 'part-2.png'",
    "attachment = ['*.xls', '*.doc']",
    "attachment_type = 'image/*'",
    "attachment_type = 'Application/PDF'",
    "attachment = '*.pdf', attachment_type = 'application/pdf'",
    "from = '*@supplier.example', subject = '*invoice*', size = '<1M', body = '*pay*'",
    "any = [{ from = 'x@y' }, { subject = '*invoice*' }]",
    "all = [{ from = '*@supplier.example' }, { subject = '*invoice*' }]",
    "not = { from = 'x@y' }",
    "not = { header = { X-Spam = '*' } }",
    "from = '*', not = { any = [{ folder = 'Junk' }, { size = '>1M' }] }",
]
OTHER = [
    "from = '*@supplier.exampl'",
    "from = '@supplier.example'",
    "from = 'ann'",
    "from = 'bob@example.com'",
    "to = 'billing@supplier.example'",
    "cc = 'bob@example.com'",
    "subject = 'invoice'",
    "subject = { regex = '^invoice' }",
    "header = { X-Spam = '*' }",
    "header = { X-Spam = { regex = '.*' } }",
    "header = { received = 'from c' }",
    "header = { Received = 'from a', X-Spam = '*' }",
    "body = 'order 66'",
    "folder = 'INBOX.Orders'",
    "account = 'other'",
    "size = '<=10k'",
    "size = '1k..2k'",
    "age = '<1h'",
    "age = '3h..1d'",
    "attachment = '*.xls'",
    "attachment = 'invoice'",
    "attachment_type = 'image/jpeg'",
    "attachment = '*.doc', attachment_type = 'application/pdf'",
    "from = '*@supplier.example', subject = '*offer*'",
    "any = [{ from = 'x@y' }, { subject = '*offer*' }]",
    "all = [{ from = '*@supplier.example' }, { subject = '*offer*' }]",
    "not = { from = '*@supplier.example' }",
    "subject = '*invoice*', any = [{ from = 'x@y' }]",
]


@pytest.mark.parametrize("written", FITTING)
def test_what_fits(when, written):
    assert matches(when(written), MAIL, BODY)
    assert not matches(when(f"not = {{ {written} }}"), MAIL, BODY)


@pytest.mark.parametrize("written", OTHER)
def test_what_does_not(when, written):
    assert not matches(when(written), MAIL, BODY)
    assert matches(when(f"not = {{ {written} }}"), MAIL, BODY)


BARE = replace(
    MAIL, from_=(), to=(), cc=(), subject="", account=None, folder=None, headers=(), attachments=(), text=None
)  # fmt: skip


@pytest.mark.parametrize(
    "key", ["from", "to", "cc", "subject", "body", "folder", "account", "attachment", "attachment_type"]
)
@pytest.mark.parametrize("pattern", ["'*'", "{ regex = '.*' }"])
def test_what_is_absent_fits_nothing(when, key, pattern):
    assert not matches(when(f"{key} = {pattern}"), BARE, "")
    assert matches(when(f"{key} = {pattern}"), MAIL, BODY)
    assert matches(when(f"not = {{ {key} = {pattern} }}"), BARE, "")


def test_a_name_does_not_pass_for_an_address(when):
    """The name before an address is free text of the sender."""
    forged = replace(MAIL, from_=(Address("boss@example.com", "evil@elsewhere.example"),))
    for written in ("'boss@example.com'", "'*@example.com'", "{ regex = 'boss@example' }"):
        assert not matches(when(f"from = {written}"), forged, BODY)
    empty = replace(MAIL, from_=(Address("boss@example.com", ""),))
    assert not matches(when("from = '*@example.com'"), empty, BODY)


def test_of_several_senders_one_has_to_fit(when):
    several = replace(MAIL, from_=(Address("", "a@b"), Address("", "c@d")))
    assert matches(when("from = 'c@d'"), several, BODY)


def test_only_the_start_of_a_long_body_is_seen(when):
    assert matches(when("body = '*end'"), MAIL, "x" * (BODY_LIMIT - 3) + "end")
    assert not matches(when("body = '*end'"), MAIL, "x" * (BODY_LIMIT - 2) + "end")


@pytest.mark.parametrize("text", ["\ud800", "\x00", "\x1b[1m", "a\u0301", "\U0010ffff", "\r\n"])
def test_no_text_of_a_mail_breaks_a_rule(when, text):
    odd = replace(
        MAIL,
        subject=text,
        from_=(Address(text, text),),
        headers=((text, text),),
        attachments=(replace(MAIL.attachments[0], name=text, type=text),),
    )
    for key in ("from", "subject", "body", "attachment", "attachment_type"):
        assert matches(when(f"{key} = '*'"), odd, text)
    assert not matches(when("header = { X = '*' }"), odd, text)
