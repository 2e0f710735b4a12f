"""Our own look at DKIM signatures, made by dkimpy with keys of our own; the DNS is a table."""

import base64
import random
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.mail.mails import lines
from tests.mail.trust.mailroom import EARLIER, ENTRY, NOW, POLICY, stamp, trusted
from watcher.findings import SenderVerdict
from watcher.limits import MIB
from watcher.mail.trust import TrustPolicy
from watcher.mail.trust.lookup import txt_record

NOBODY = TrustPolicy()  # no border is believed: our own look decides
NAME = "s1._domainkey.them.example"
HEADER = (
    *("From: Bob <bob@them.example>", "To: us@us.example", "Subject: hello", "Reply-To: desk@them.example"),
    *("Date: Mon, 5 Oct 2026 10:00:00 +0200", "MIME-Version: 1.0", "Content-Type: text/plain"),
)
MAIL = lines(*HEADER, "", "text  with blanks ", "", "end", "", "")


@cache
def key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(private: rsa.RSAPrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)


def record(private: rsa.RSAPrivateKey, tags: str = "v=DKIM1; k=rsa; ") -> bytes:
    public = private.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return tags.encode() + b"p=" + base64.b64encode(der)


def dns(*entries: tuple[str, bytes]):
    return lambda name, seconds: dict(entries).get(name)


def signed(mail: bytes = MAIL, private: bytes | None = None, **how) -> bytes:
    settings = {"canonicalize": (b"relaxed", b"relaxed")} | how
    domain = settings.pop("domain", b"them.example")
    return dkim.sign(mail, b"s1", domain, private or pem(key()), **settings) + mail


def signed_by_hand(extra: bytes, mail: bytes = MAIL) -> bytes:
    """As `signed`, with more tags in the signature."""
    signer = dkim.DKIM(mail)
    made = signer.gen_header

    def with_more(fields, *rest, **how):
        return made([*fields[:-1], *(tuple(tag.split(b"=", 1)) for tag in extra.split(b";")), fields[-1]], *rest, **how)

    signer.gen_header = with_more
    return signer.sign(b"s1", b"them.example", pem(key()), canonicalize=(b"relaxed", b"relaxed")) + mail


KNOWN = dns((NAME, record(key())))


# --- what holds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [b"relaxed", b"simple"])
@pytest.mark.parametrize("body", [b"relaxed", b"simple"])
def test_a_signature_that_holds_verifies(header, body):
    trust = trusted(signed(canonicalize=(header, body)), NOBODY, KNOWN)
    assert (trust.verdict, trust.domain, trust.dkim, trust.by) == (
        *(SenderVerdict.VERIFIED, "them.example", "pass", "own check"),
    )
    assert trust.reason == "a DKIM signature of them.example holds"


def test_it_holds_over_hops_and_beside_foreign_ones():
    raw = lines(ENTRY, EARLIER) + signed(signed(MAIL, pem(key(1024)), domain=b"esp.example"))
    assert trusted(raw, NOBODY, KNOWN).verdict is SenderVerdict.VERIFIED


def test_a_key_of_1024_bits_is_long_enough():
    assert (
        trusted(signed(private=pem(key(1024))), NOBODY, dns((NAME, record(key(1024))))).verdict
        is SenderVerdict.VERIFIED
    )


def test_a_parent_domain_may_sign_unless_strict():
    raw = signed(MAIL.replace(b"bob@them", b"bob@mail.them"))
    assert trusted(raw, NOBODY, KNOWN).verdict is SenderVerdict.VERIFIED
    assert trusted(raw, TrustPolicy(strict=True), KNOWN).verdict is SenderVerdict.UNVERIFIED


@pytest.mark.parametrize("kind", [b"relaxed", b"simple"])
def test_a_large_mail_holds_too(kind):
    """Larger than dkimpy could take in this memory, with all that canonical forms change."""
    mail = lines(*HEADER, "") + b"word \t word  \r\n\r\n" * (4 * MIB // 17)
    assert trusted(signed(mail, canonicalize=(b"relaxed", kind)), NOBODY, KNOWN).verdict is SenderVerdict.VERIFIED


def test_it_adds_to_what_the_border_says_but_does_not_outweigh_it():
    for results, verdict in [
        ("spf=none", SenderVerdict.VERIFIED),
        ("dmarc=fail header.from=them.example", SenderVerdict.FAILED),
        ("dmarc=pass header.from=evil.example", SenderVerdict.FAILED),
    ]:
        raw = lines(stamp(results), ENTRY) + signed()
        assert trusted(raw, POLICY, KNOWN).verdict is verdict


# --- what does not --------------------------------------------------------------------------------------------------


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([tag, size] if size < 128 else [tag, 0x82, size >> 8, size & 255]) + content


def numbers(*values: int) -> bytes:
    """A sequence of integers in DER, as RSA keys are written (RFC 8017 A.1)."""
    return der(0x30, b"".join(der(2, value.to_bytes(value.bit_length() // 8 + 1)) for value in values))


def weak() -> tuple[bytes, bytes]:
    """A private key of 768 bits, which no library makes any more, and its record."""
    rnd = random.Random(1)

    def prime() -> int:
        while True:
            number = rnd.getrandbits(384) | (3 << 382) | 1
            if number % 65537 != 1 and all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
                return number

    one, other = prime(), prime()
    modulus, secret = one * other, pow(65537, -1, (one - 1) * (other - 1))
    parts = (0, modulus, 65537, secret, one, other, secret % (one - 1), secret % (other - 1), pow(other, -1, one))
    private = numbers(*parts)
    public = numbers(modulus, 65537)
    text = b"-----BEGIN RSA PRIVATE KEY-----\n" + base64.b64encode(private) + b"\n-----END RSA PRIVATE KEY-----\n"
    return text, b"v=DKIM1; p=" + base64.b64encode(public)


WEAK_KEY, WEAK_RECORD = weak()
GOOD = signed()
MORE = "From: Bob <bob@them.example>\r\nSubject: hello\r\nReply-To: desk@them.example"

BAD = {
    "no signature": ("it has no DKIM signature of the domain of From", MAIL, KNOWN),
    "a changed word": ("its body is not the one that was signed", GOOD.replace(b"end", b"END"), KNOWN),
    "a changed subject": (
        "its DKIM signature does not hold",
        GOOD.replace(b"Subject: hello", b"Subject: pay now"),
        KNOWN,
    ),
    "more at the end": ("its body is not the one that was signed", GOOD + b"more\r\n", KNOWN),
    "another domain's signature": (
        "it has no DKIM signature of the domain of From",
        signed(domain=b"evil.example"),
        dns(("s1._domainkey.evil.example", record(key()))),
    ),
    "signed by a domain that begins alike": (
        "it has no DKIM signature of the domain of From",
        signed(domain=b"them.example.evil.example"),
        dns(("s1._domainkey.them.example.evil.example", record(key()))),
    ),
    "another key": ("its DKIM signature does not hold", signed(private=pem(key(1024))), KNOWN),
    "a key of 768 bits": (
        "its DKIM signature or key can't be read",
        signed(private=WEAK_KEY),
        dns((NAME, WEAK_RECORD)),
    ),
    "rsa-sha1": ("its DKIM signature has a weak algorithm", signed(signature_algorithm=b"rsa-sha1"), KNOWN),
    "a part of the body": ("its DKIM signature leaves out the end of the body", signed(length=True), KNOWN),
    "a part of the body, and more": (
        "its DKIM signature leaves out the end of the body",
        signed(length=True) + b"<h1>pay now</h1>\r\n",
        KNOWN,
    ),
    "expired": ("its DKIM signature has expired", signed_by_hand(b"x=%d" % NOW), KNOWN),
    "an end that is no number": ("its DKIM signature has expired", signed_by_hand(b"x=never"), KNOWN),
    "the subject not signed": (
        "its DKIM signature leaves subject open to change",
        signed(include_headers=[b"from", b"reply-to", b"date"]),
        KNOWN,
    ),
    "the reply address not signed": (
        "its DKIM signature leaves reply-to open to change",
        signed(include_headers=[b"from", b"subject"]),
        KNOWN,
    ),
    "a reply address added": (
        "its DKIM signature leaves reply-to open to change",
        b"Reply-To: x@evil.example\r\n" + signed(MAIL.replace(b"Reply-To: desk@them.example\r\n", b"")),
        KNOWN,
    ),
    "a second subject": ("its DKIM signature leaves subject open to change", b"Subject: pay now\r\n" + GOOD, KNOWN),
    "a second From": ("it has more than one From", b"From: ceo@them.example\r\n" + GOOD, KNOWN),
    "a second Content-Type": (
        "its DKIM signature leaves content-type open to change",
        b"Content-Type: text/html\r\n" + GOOD,
        KNOWN,
    ),
    "no key": ("the key of its DKIM signature is not in the DNS, or can't be asked for now", GOOD, dns()),
    "a revoked key": ("its DKIM signature does not hold", GOOD, dns((NAME, b"v=DKIM1; p="))),
    "a key for tests": (
        "the key of its DKIM signature is for tests only",
        GOOD,
        dns((NAME, record(key(), "v=DKIM1; t=y; "))),
    ),
    "a key for other services": (
        "the key of its DKIM signature is not for mail",
        GOOD,
        dns((NAME, record(key(), "v=DKIM1; s=tlsrpt; "))),
    ),
    "a key for SHA-1": ("the key of its DKIM signature is not for mail", GOOD, dns((NAME, record(key(), "h=sha1; ")))),
    "a key not for subdomains": (
        "the key of its DKIM signature is not for subdomains",
        signed(identity=b"@mail.them.example"),
        dns((NAME, record(key(), "v=DKIM1; t=s; "))),
    ),
    "a record of another version": ("its DKIM signature does not hold", GOOD, dns((NAME, record(key(), "v=DKIM2; ")))),
    "a record that is none": ("a list of tags in it can't be read", GOOD, dns((NAME, b"\xff\x00;;==p=p=p"))),
    "a record too long": ("the key of its DKIM signature is too long", GOOD, dns((NAME, record(key()) + b"A" * 5000))),
    "a signature given twice over": (
        "it has no DKIM signature of the domain of From",
        GOOD.replace(b"d=them.example", b"d=them.example; d=them.example"),
        KNOWN,
    ),
    "a domain in two words": (
        "its DKIM signature or key can't be read",
        GOOD.replace(b"d=them.example", b"d=them. example"),
        KNOWN,
    ),
    "a domain with a NUL": (
        "its header has lines that are no fields",
        GOOD.replace(b"d=them.example", b"d=them.example\0.evil.example"),
        KNOWN,
    ),
    "a line that is no field": (
        "its header has lines that are no fields",
        GOOD.replace(b"Date:", b"not a field\r\nDate:"),
        KNOWN,
    ),
    "a blank before a colon": (
        "its header has lines that are no fields",
        GOOD.replace(b"Subject:", b"Subject :"),
        KNOWN,
    ),
    "a bare CR in the header": (
        "its header has lines that are no fields",
        GOOD.replace(b"hello", b"hello\rFrom: x@evil.example"),
        KNOWN,
    ),
    "a header of 100 kB": (
        "its header is too long for an own check",
        lines(*(f"X-{n}: {'x' * 10_000}" for n in range(10))) + GOOD,
        KNOWN,
    ),
}


@pytest.mark.parametrize(("reason", "raw", "lookup"), BAD.values(), ids=BAD.keys())
def test_what_an_attacker_could_bend_does_not_verify(reason, raw, lookup):
    trust = trusted(raw, NOBODY, lookup)
    assert trust.verdict is not SenderVerdict.VERIFIED
    assert trust.reason == reason


def test_a_few_signatures_are_tried_at_most():
    asked = []

    def lookup(name: str, seconds: float) -> None:
        asked.append((name, seconds))

    raw = MAIL
    for _ in range(6):
        raw = signed(raw)
    assert trusted(raw, NOBODY, lookup).dkim == "fail"
    assert asked == [(NAME, 3.0)] * 3


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "field",
    [b"DKIM-Signature: " + piece * 60_000 for piece in (b" ", b";b\r\n ", b"b = ", b"a=1;", b"\r\n\t")]
    + [b"DKIM-Signature: d=them.example; a=rsa-sha256; b" + b"\r\n " * 1000 + b"x"],
)
def test_no_signature_takes_long(field):
    assert trusted(field + b"\r\n" + GOOD, NOBODY, KNOWN).verdict in SenderVerdict


def test_a_name_that_nobody_answers_for_has_no_record():
    """The real resolver: a name of a reserved domain (RFC 6761 6.4), or no network at all."""
    assert txt_record("s1._domainkey.nobody.invalid", 0.5) is None
    assert txt_record("no name" + "." * 3, 0.5) is None
