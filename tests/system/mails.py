"""
Mixed mails for the system tests: mail number `case` of a `seed` is always the same bytes, whatever was made before it.

Each carries the header `X-Case: N` in front, by which the handlers tell in their log which mail they were given, and
the digests of what must come out of it as attachments, byte for byte, after its way through LMTP and IMAP.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

__all__ = ["KINDS", "Mail", "big_mail", "mail", "mails"]

CHINESE = "您好，附件是本月的发票，请查收。谢谢！"  # noqa: RUF001 Chinese punctuation
CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class Mail:
    """One made mail."""

    case: int  #: value of its X-Case header
    kind: str  #: which of KINDS made it
    raw: bytes  #: with CR LF line ends
    attachments: tuple[str, ...] = ()  #: sha256 of the decoded attachments, hex, in order; "" for a forwarded mail


@dataclass(frozen=True, slots=True)
class Body:
    """Content headers and content of a mail or of one part of it."""

    headers: tuple[bytes, ...]
    content: bytes
    attachments: tuple[str, ...] = ()


def mail(case: int, seed: int = 0) -> Mail:
    """Mail number `case`; its kind follows from the number, so that any dozen in a row holds every kind."""
    kind, make = list(KINDS.items())[case % len(KINDS)]
    rnd = Random(f"{seed}/{case}")
    body = make(case, rnd)
    return Mail(case, kind, CRLF.join([_head(case, kind, rnd), *body.headers, b"", body.content]), body.attachments)


def mails(count: int, seed: int = 0, first: int = 0) -> Iterator[Mail]:
    """`count` mails from number `first` on, one at a time."""
    return (mail(case, seed) for case in range(first, first + count))


def big_mail(case: int, size: int) -> Mail:
    """A mail of about `size` bytes with one attachment."""
    part = _attachment(Random(case).randbytes(size * 3 // 4 * 76 // 78), b'filename="big.bin"')
    body = _multipart(b"mixed", case, _text("One big file."), part)
    raw = CRLF.join([_head(case, "attachment", Random(case)), *body.headers, b"", body.content])
    return Mail(case, "big", raw, body.attachments)


# --- the kinds ------------------------------------------------------------------------------------------------------


def _plain(case: int, rnd: Random) -> Body:
    lines = "\n".join(f"line {number} {rnd.random()}" for number in range(rnd.randrange(1, 60)))
    return _text(f"Mail {case}.\n.\n..leading dots\nFrom here on:\n{lines}\n")


def _empty(case: int, rnd: Random) -> Body:
    return Body((b"Content-Type: text/plain",), b"")


def _eight_bit(case: int, rnd: Random) -> Body:
    content = f"{CHINESE} {case} {rnd.random()}".encode() + CRLF
    return Body((b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit"), content)


def _undeclared(case: int, rnd: Random) -> Body:
    """Text in GB 18030 that says nothing of its charset."""
    return Body((), f"{CHINESE} {case} {rnd.random()}".encode("gb18030") + CRLF)


def _html(case: int, rnd: Random) -> Body:
    html = f"<html><body><p>Mail <b>{case}</b> {CHINESE} {rnd.random()}</p></body></html>"
    return _multipart(b"alternative", case, _text(f"Mail {case}\n"), _text(html, b"html"))


def _attached(case: int, rnd: Random) -> Body:
    """One to three files, from nothing to 128 kB."""
    files = [rnd.randbytes(int(2 ** rnd.uniform(0, 17)) - 1) for _ in range(rnd.randrange(1, 4))]
    parts = [_attachment(data, b'filename="file-%d.bin"' % number) for number, data in enumerate(files)]
    return _multipart(b"mixed", case, _text(f"{len(files)} files\n"), *parts)


def _chinese_name(case: int, rnd: Random) -> Body:
    """The name once as RFC 2231 wants it and once as many mail programs write it."""
    name = f"发票-{case}.pdf"
    word = base64.b64encode(name.encode()).decode()
    names = (f"filename*=utf-8''{quote(name)}", f'filename="=?utf-8?B?{word}?="')
    pdf = b"%PDF-1.4\n" + rnd.randbytes(rnd.randrange(100, 5000))
    return _multipart(b"mixed", case, _text(CHINESE), *(_attachment(pdf, way.encode()) for way in names))


def _forwarded(case: int, rnd: Random) -> Body:
    """A mail within the mail, with a file of its own."""
    within = _attached(case, rnd)
    raw = CRLF.join([b"From: first@example.net", b"Subject: the first one", *within.headers, b"", within.content])
    part = Body((b"Content-Type: message/rfc822", b"Content-Disposition: attachment"), raw, ("",))
    return _multipart(b"mixed", case * 2 + 1, _text("See below.\n"), part)


def _without_id(case: int, rnd: Random) -> Body:
    return _text(f"No Message-ID, {case} {rnd.random()}\n")


def _cut_off(case: int, rnd: Random) -> Body:
    """Several parts whose last one stops in the middle, without a closing boundary."""
    whole = _multipart(b"mixed", case, _text(f"{rnd.random()}\n"), _attachment(rnd.randbytes(3000), b"filename=a.bin"))
    return Body(whole.headers, whole.content[: len(whole.content) * 2 // 3])


def _malformed(case: int, rnd: Random) -> Body:
    """Headers that are none, a bad charset, a bad encoding, raw bytes where only ASCII may stand."""
    headers = (
        b"X-Raw: \xff\xfe\xe9\x80",
        b"Content-Type: text/plain; charset=no-such; charset",
        b"Content-Transfer-Encoding: x-unheard-of",
        b"X-Long: " + b"a" * 900,
        b"Cc: =?utf-8?B?4pyT=?=, <<a@b>, , @",
    )
    return Body(headers, b"\x01\x02 " + str(rnd.random()).encode() + CRLF)


def _same_id(case: int, rnd: Random) -> Body:
    return _text(f"Another mail with a Message-ID already used, {case} {rnd.random()}\n")


#: Name of a kind -> what makes its body.
KINDS: dict[str, Callable[[int, Random], Body]] = {
    "plain": _plain,
    "html": _html,
    "attached": _attached,
    "chinese name": _chinese_name,
    "forwarded": _forwarded,
    "8-bit": _eight_bit,
    "without id": _without_id,
    "malformed": _malformed,
    "empty": _empty,
    "undeclared charset": _undeclared,
    "cut off": _cut_off,
    "same id": _same_id,
}


# --- their building stones ------------------------------------------------------------------------------------------


def _head(case: int, kind: str, rnd: Random) -> bytes:
    subject = f"{kind} {CHINESE[: rnd.randrange(2, 12)]} {case}"
    identity = {"without id": b"X-No: id", "same id": b"Message-ID: <always@example.org>"}
    lines = [
        b"X-Case: %d" % case,
        b"From: =?utf-8?B?" + base64.b64encode("发件人".encode()) + b"?= <from-%d@example.org>" % (case % 7),
        b"To: watched@example.org",
        b"Subject: =?utf-8?B?" + base64.b64encode(subject.encode()) + b"?=",
        b"Date: Sat, 21 Nov 2026 10:%02d:%02d +0800" % divmod(case % 3600, 60),
        identity.get(kind, b"Message-ID: <case-%d.%d@example.org>" % (case, rnd.getrandbits(32))),
        b"MIME-Version: 1.0",
    ]
    return CRLF.join(lines)


def _text(text: str, subtype: bytes = b"plain") -> Body:
    headers = (b"Content-Type: text/" + subtype + b"; charset=utf-8", b"Content-Transfer-Encoding: 8bit")
    return Body(headers, text.replace("\n", "\r\n").encode())


def _attachment(data: bytes, name: bytes) -> Body:
    headers = (
        b"Content-Type: application/octet-stream",
        b"Content-Disposition: attachment; " + name,
        b"Content-Transfer-Encoding: base64",
    )
    encoded = base64.encodebytes(data).replace(b"\n", CRLF)
    return Body(headers, encoded, (hashlib.sha256(data).hexdigest(),))


def _multipart(subtype: bytes, number: int, *parts: Body) -> Body:
    mark = b"=_part_%d_" % number
    pieces = [CRLF.join([b"--" + mark, *part.headers, b"", part.content]) for part in parts]
    content = CRLF.join([*pieces, b"--" + mark + b"--", b""])
    attachments = tuple(digest for part in parts for digest in part.attachments)
    return Body((b"Content-Type: multipart/" + subtype + b'; boundary="' + mark + b'"',), content, attachments)
