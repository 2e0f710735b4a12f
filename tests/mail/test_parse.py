"""The header of a mail: people, dates, identities."""

from datetime import datetime, timedelta, timezone

import pytest

from watcher.limits import USUAL, Limits
from watcher.mail.defects import Defects
from watcher.mail.header import Field, Header
from watcher.mail.parse import Letterhead, letterhead


def head(*fields: tuple[str, str | bytes], charset: str | None = None, limits: Limits = USUAL) -> Letterhead:
    made = (Field(name, value if isinstance(value, bytes) else value.encode()) for name, value in fields)
    return letterhead(Header(tuple(made)), charset, limits, Defects(9))


def people(value: str | bytes, charset: str | None = None) -> list[tuple[str, str]]:
    return [(person.name, person.address) for person in head(("To", value), charset=charset).to]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.example", [("", "a@b.example")]),
        ("A B <a@b.example>, c@d.example", [("A B", "a@b.example"), ("", "c@d.example")]),
        ('"B, A" <a@b.example>', [("B, A", "a@b.example")]),
        ("a@b.example (A B)", [("A B", "a@b.example")]),
        ("Group: a@b.example, C <c@d.example>;", [("", "a@b.example"), ("C", "c@d.example")]),
        ("undisclosed-recipients:;", []),
        ("", []),
        ("Mary <@relay.example:mary@b.example>", [("Mary", "mary@b.example")]),
        ('"john doe"@b.example', [("", '"john doe"@b.example')]),
        # what mail-parser leaves to us
        ("B, A <a@b.example>", [("B, A", "a@b.example")]),
        ("Big Bug bb@bug.example", [("Big Bug", "bb@bug.example")]),
        ("A@B <a@b.example>", [("A@B", "a@b.example")]),
        ("A <a@b.example", [("A", "a@b.example")]),
        ('"A <a@b.example>', [("A", "a@b.example")]),
        ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("Nobody", [("", "Nobody")]),
        ("Nobody At All", [("Nobody At All", "")]),
        ("=?utf-8?Q?J=C3=BCrgen?= <a@b.example>", [("Jürgen", "a@b.example")]),
        ('"=?utf-8?Q?J=C3=BCrgen?=" <a@b.example>', [("Jürgen", "a@b.example")]),
        ("=?utf-8?Q?B,_A?= <a@b.example>", [("B, A", "a@b.example")]),
        ("=?utf-8?Q?=E4=BD?= =?utf-8?Q?=A0?= <a@b.example>", [("你", "a@b.example")]),
        ("a@b.example (=?utf-8?Q?J=C3=BCrgen?=)", [("Jürgen", "a@b.example")]),
        ("Jürgen <jürgen@bücher.example>", [("Jürgen", "jürgen@bücher.example")]),
        (b"J\xfcrgen <a@b.example>", [("Jürgen", "a@b.example")]),
        (b"=?iso-8859-1?Q?J\xfcrgen?= <a@b.example>", [("Jürgen", "a@b.example")]),
        ("=?utf-8?Q?a=0D=0ABcc=3A?= <a@b.example>", [("a Bcc:", "a@b.example")]),
        ("=?utf-8?Q?=3Cevil=40x.example=3E?= <a@b.example>", [("<evil@x.example>", "a@b.example")]),
    ],
)
def test_addresses(value, expected):
    assert people(value) == expected


def test_octets_in_names_follow_the_charset_of_the_mail():
    assert people("Иван <a@b.example>".encode("koi8-r"), "koi8-r") == [("Иван", "a@b.example")]


def test_repeated_address_fields_are_one():
    found = head(("To", "a@b.example"), ("to", "c@d.example"))
    assert [person.address for person in found.to] == ["a@b.example", "c@d.example"]


def test_number_of_addresses_is_limited():
    assert len(head(("To", "a@b, " * 100), limits=Limits(people=10)).to) == 10


def test_first_subject_counts():
    # F16
    found = head(("Subject", "one"), ("SUBJECT", "two"), ("Message-ID", "<1@a>"), ("Message-ID", "<2@a>"))
    assert (found.subject, found.message_id) == ("one", "<1@a>")


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Mon, 5 Oct 2026 10:00:00 +0200", datetime(2026, 10, 5, 10, tzinfo=timezone(timedelta(hours=2)))),
        ("5 Oct 2026 10:00:00 +0545", datetime(2026, 10, 5, 10, tzinfo=timezone(timedelta(hours=5.75)))),
        ("5 Oct 2026 10:00 GMT", datetime(2026, 10, 5, 10, tzinfo=timezone(timedelta(0)))),
        ("Mon, 5 Oct 2026 10:00:00", datetime.fromisoformat("2026-10-05T10:00:00")),
        ("Mon, 5 Oct 2026 1:02:03 +0000", datetime(2026, 10, 5, 1, 2, 3, tzinfo=timezone(timedelta(0)))),
        ("12 June 2026 10:00:00 +0530", datetime(2026, 6, 12, 10, tzinfo=timezone(timedelta(hours=5.5)))),
        ("yesterday", None),
        ("", None),
        ("Mon, 99 Oct 2026 10:00:00 +0200", None),
        ("Mon, 5 Oct 2026 10:00:00 +999999999999", None),
        ("9" * 60_000, None),
    ],
)
def test_date(value, moment):
    found = head(("Date", value)).date
    assert found == moment
    assert found is None or found.tzinfo == moment.tzinfo


@pytest.mark.parametrize(
    ("value", "identity"),
    [("<a@b>", "<a@b>"), ("  <a@b> (note)", "<a@b>"), ("a@b", "a@b"), ("<a b", "<a b"), ("", None)],
)
def test_message_id(value, identity):
    assert head(("Message-ID", value)).message_id == identity


def test_references_and_reply():
    found = head(("References", "<a@b>\t<c@d> junk<e@f>"), ("In-Reply-To", "Your mail <a@b> of Monday"))
    assert found.references == ("<a@b>", "<c@d>", "<e@f>")
    assert found.in_reply_to == "<a@b>"


def test_headers_come_decoded_in_order_and_printable():
    found = head(("X-A", "=?utf-8?Q?=C3=BC=0A?="), ("x-a", b"b\x1b[1m"), ("Received", "by x"))
    assert found.headers == (("X-A", "ü "), ("x-a", "b[1m"), ("Received", "by x"))


@pytest.mark.parametrize("value", ["(" * 60_000, '"' * 60_001, "<" * 60_000, "a@b," * 16_000, "a:" * 30_000])
def test_hostile_addresses_end(value):
    assert head(("To", value), ("From", value), ("Date", value)) is not None
