"""Reading Authentication-Results: what real servers write is read, what can mislead is refused."""

import contextlib

import pytest

from watcher.mail.trust.domains import aligned, domain_in
from watcher.mail.trust.results import Unclear, clauses, read_results, server_of


def read(text: str) -> list[tuple[str, str, dict[str, str]]]:
    results = read_results(text.encode())
    return [(result.method, result.result, dict(result.properties)) for result in results.found]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("mx.example; none", []),
        ("mx.example 1; none;", []),
        ("mx.example; SPF=Pass smtp.mailfrom=b.example", [("spf", "pass", {"smtp.mailfrom": "b.example"})]),
        (
            (
                "mx.google.com; dkim=pass header.i=@b.example header.s=20230601 header.b=k6+Eo/9=;"
                " spf=pass (google.com: domain of a@b.example designates 192.0.2.1 as permitted sender)"
                " smtp.mailfrom=a@b.example; dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=b.example"
            ),
            [
                ("dkim", "pass", {"header.i": "@b.example", "header.s": "20230601", "header.b": "k6+Eo/9="}),
                ("spf", "pass", {"smtp.mailfrom": "a@b.example"}),
                ("dmarc", "pass", {"header.from": "b.example"}),
            ],
        ),
        (
            "atlas.yahoo.example; dmarc=pass(p=REJECT) header.from=b.example;",
            [("dmarc", "pass", {"header.from": "b.example"})],
        ),
        (
            (
                'mx.fastmail.example; dkim=pass (2048-bit rsa key) header.d=b.example header.b="a/b" x-bits=2048;'
                " iprev=pass policy.iprev=2001:db8::1 (mail.b.example)"
            ),
            [
                ("dkim", "pass", {"header.d": "b.example", "header.b": '"a/b"', "x-bits": "2048"}),
                ("iprev", "pass", {"policy.iprev": "2001:db8::1"}),
            ],
        ),
        (
            'mx.example; dkim/1 = fail reason="bad (really; yes)" header.d = b.example',
            [("dkim", "fail", {"reason": '"bad (really; yes)"', "header.d": "b.example"})],
        ),
        ("mx.example; spf=none (a (nested (deep)) \\) one) smtp.mailfrom=", [("spf", "none", {"smtp.mailfrom": ""})]),
        ('mx.example; spf=pass smtp.mailfrom="a;b"@c.example', [("spf", "pass", {"smtp.mailfrom": '"a;b"@c.example'})]),
    ],
)
def test_what_servers_write_is_read(field, found):
    assert read(field) == found


@pytest.mark.parametrize(
    "field",
    [
        "",
        "spf=pass smtp.mailfrom=b.example; dkim=pass header.d=b.example",  # Exchange Online names no server
        "mx.example 2; dmarc=pass",
        "mx.example; dmarc",
        "mx.example; dmarc=",
        "mx.example; =pass",
        "mx.example; dmarc=pass header.from",
        "mx.example; dmarc=pass rest",
        "mx.example; dmarc=pass (open",
        "mx.example; dmarc=pass closed)",
        'mx.example; dmarc=pass reason="open',
        "mx.example; dmarc=pass \\ header.from=b.example",
        "mx.example; dkim=pass header.d=b.example(.evil.example)",
        "mx.example; dkim=pass header.d=(x)b.example",
        'mx.example; dkim=pass header.d="b.example".evil.example',
        'mx.example; spf=pass (of "a) ; dmarc=pass header.from=v.example (b"@e.example) smtp.mailfrom=e.example',
        "mx.example; dmarc=pass\0 header.from=b.example",
        "mx.example; dmarc=pass\r\n header.from=b.example",
        "mx.example\x01; dmarc=pass",
        "mx.example; d\u00a0marc=pass",
    ],
)
def test_what_can_mislead_is_refused(field):
    with pytest.raises(Unclear):
        read_results(field.encode())


def test_bytes_that_are_no_utf8_are_refused():
    with pytest.raises(Unclear):
        clauses(b"mx.example; dkim=pass header.d=\xff")


@pytest.mark.parametrize(
    ("field", "server"),
    [
        (b" MX.Example; none", "mx.example"),
        (b"mx.example 1; none", "mx.example"),
        (b"mx.example", "mx.example"),
        (b'"mx.example"; none', None),
        (b"(x) mx.example; none", None),
        (b"mx.example(x); none", None),
        (b"mx.example/1; none", None),
        (b"spf=pass", None),
        (b"", None),
        (b"; none", None),
    ],
)
def test_only_a_plain_server_name_is_one(field, server):
    assert server_of(field) == server


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "field",
    [
        b"mx; " + piece * (60_000 // len(piece))
        for piece in (b"(", b"()", b'"', b'""', b" ", b";", b"a=b ", b"a", b"\\(", b"a= ")
    ]
    + [b"mx; a=b" + b" " * 60_000 + b"(", b"mx; a=b" + b" c.d=" * 10_000, b"mx" + b" (x)" * 15_000],
)
def test_no_field_takes_long(field):
    with contextlib.suppress(Unclear):
        read_results(field)


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        ("b.example", "b.example"),
        ("@B.Example", "b.example"),
        ("a@b.example", "b.example"),
        ('"a@v.example"@b.example', "b.example"),
        ("a@v.example@b.example", None),
        ('"b.example"', None),
        ("<a@b.example>", None),
        ("a@[192.0.2.1]", None),
        ("192.0.2.1", None),
        ("b", None),
        ("b.example.", None),
        (".b.example", None),
        ("b..example", None),
        ("-b.example", None),
        ("b.example'a.evil.example", None),
        ("b.example\u3002evil", None),
        ("\u0432.example", None),
        ("a" * 64 + ".example", None),
        (".".join(["a" * 60] * 5), None),
        ("", None),
        (None, None),
    ],
)
def test_a_domain_is_plain_or_none(value, domain):
    assert domain_in(value) == domain


@pytest.mark.parametrize(
    ("one", "other", "relaxed", "strict"),
    [
        ("b.example", "b.example", True, True),
        ("mail.b.example", "b.example", True, False),
        ("b.example", "news.b.example", True, False),
        ("b.example.com", "c.example.com", True, False),
        ("b.co.uk", "c.co.uk", False, False),
        ("co.uk", "c.co.uk", False, False),
        ("b.github.io", "c.github.io", False, False),
        ("evil-b.example", "b.example", False, False),
        ("b.example.evil.example", "b.example", False, False),
        (None, "b.example", False, False),
    ],
)
def test_alignment_goes_by_owner(one, other, relaxed, strict):
    assert aligned(one, other, strict=False) is relaxed
    assert aligned(one, other, strict=True) is strict
