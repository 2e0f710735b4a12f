"""
Our own look at DKIM signatures (RFC 6376): for mailboxes whose border tells nothing, or nothing we may believe.

dkimpy checks the header. The body we hash ourselves: dkimpy needs many times its size in memory, and quadratic time on
long blanks. A signature counts only if an attacker could not have bent it: what RFC 6376 8 warns of is refused.
"""

import base64
import binascii
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

import dkim

from watcher.limits import KIB
from watcher.mail.raw import Raw
from watcher.mail.trust.bodyhash import body_hash
from watcher.mail.trust.domains import aligned
from watcher.mail.trust.judge import OwnCheck, Signed
from watcher.mail.trust.lookup import Lookup, txt_record
from watcher.mail.trust.results import Unclear
from watcher.mail.trust.tags import tags_of

__all__ = ["own_check"]

# It logs words of the mail.
logging.getLogger("dkimpy").setLevel(logging.CRITICAL + 1)

#: Bytes of the header blocks and signatures that are checked; some of dkimpy's patterns take quadratic time.
_LONGEST_HEADER = 64 * KIB
_LONGEST_SIGNATURE = 4 * KIB

#: Signatures of the wanted domain that are tried: each costs a look-up.
_TRIES = 3

#: Seconds that one look-up may take.
_PATIENCE = 3.0

#: Bytes of a key record: RSA with 8192 bits is shorter, and longer ones only cost time.
_RECORD = 2 * KIB

#: Bits of the shortest RSA key (RFC 8301 3.2).
_KEY = 1024

#: Fields that must be signed if they are there, and those of which no copy may be added.
_SIGNED = ("from", "subject", "reply-to")
_SINGLE = (
    *("date", "to", "cc", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding"),
)

_FIELD = rb"[\x21-\x39\x3b-\x7e]++:[^\r\n\0]*+\n(?:[ \t][^\r\n\0]*+\n)*+"
_WELL_FORMED = re.compile(rb"(?:" + _FIELD + rb")*+")
_NAMES = re.compile(rb"^([\x21-\x39\x3b-\x7e]+):", re.MULTILINE)
_SIGNATURES = re.compile(rb"^dkim-signature:((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)", re.MULTILINE | re.IGNORECASE)


def own_check(raw: Raw, body: int, now: float, lookup: Lookup = txt_record) -> OwnCheck:
    """
    A check of the signatures of a mail whose body begins at `body`. `now`, in seconds since 1970, is when it came:
    what had expired then is refused. It asks the DNS through `lookup`, three times 3 seconds at most.
    """

    @cache
    def hashed(relaxed: bool) -> bytes:
        return body_hash(raw.slices(body, raw.size), relaxed=relaxed)

    def check(domain: str, strict: bool) -> Signed:
        try:
            header = _block(raw, body)
        except Unclear as doubt:
            return Signed("none", str(doubt))
        candidates = list(islice(_candidates(header, domain, strict=strict), _TRIES))
        reason = "it has no DKIM signature of the domain of From"
        for number, tags in candidates:
            try:
                _refuse_weak(tags, header, now)
                _refuse_changed(tags, hashed)
                _refuse_invalid(header, number, tags, lookup)
            except Unclear as doubt:
                reason = str(doubt)
            else:
                return Signed("pass", f"a DKIM signature of {tags['d'].lower()} holds")
        return Signed("fail" if candidates else "none", reason)

    return check


def _block(raw: Raw, body: int) -> bytes:
    """The header block with CRLF. Raises Unclear if it is long, or if anything in it is no field to some readers."""
    block = raw[0 : min(body, _LONGEST_HEADER + 1)]
    if len(block) > _LONGEST_HEADER:
        raise Unclear("its header is too long for an own check")
    lines = block.replace(b"\r\n", b"\n").removesuffix(b"\n").removesuffix(b"\n")
    if not _WELL_FORMED.fullmatch(lines + b"\n"):
        raise Unclear("its header has lines that are no fields")
    return lines.replace(b"\n", b"\r\n") + b"\r\n\r\n"


def _candidates(header: bytes, domain: str, *, strict: bool) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The signatures that would speak for the domain: their number among all, and their tags."""
    for number, field in enumerate(_SIGNATURES.findall(header)):
        try:
            tags = tags_of(field) if len(field) <= _LONGEST_SIGNATURE else {}
        except Unclear:
            continue
        if aligned(tags.get("d", "").lower(), domain, strict=strict):
            yield number, tags


def _refuse_weak(tags: Mapping[str, str], header: bytes, now: float) -> None:
    """Raises Unclear if the signature leaves an attacker room (RFC 6376 8, RFC 8301)."""
    if tags.get("a", "").lower() not in ("rsa-sha256", "ed25519-sha256"):
        raise Unclear("its DKIM signature has a weak algorithm")
    if "l" in tags:
        raise Unclear("its DKIM signature leaves out the end of the body")
    expires = tags.get("x")
    if expires is not None and (not expires.isdecimal() or int(expires[:12]) <= now):
        raise Unclear("its DKIM signature has expired")
    signed = Counter(tags.get("h", "").lower().split(":"))
    there = Counter(name.decode("ascii").lower() for name in _NAMES.findall(header))
    for name in (*_SIGNED, *_SINGLE):
        if there[name] > signed[name] and (name in _SIGNED or there[name] > 1):
            raise Unclear(f"its DKIM signature leaves {name} open to change")


def _refuse_changed(tags: Mapping[str, str], hashed: Callable[[bool], bytes]) -> None:
    """Raises Unclear if the body is not the one that was signed."""
    relaxed = tags.get("c", "").lower().endswith("/relaxed")
    try:
        wanted = base64.b64decode(tags.get("bh", ""), validate=True)
    except binascii.Error as error:
        raise Unclear("its DKIM signature can't be read") from error
    if wanted != hashed(relaxed):
        raise Unclear("its body is not the one that was signed")


def _refuse_invalid(header: bytes, number: int, tags: Mapping[str, str], lookup: Lookup) -> None:
    """Raises Unclear if the signature is not that of the header by the key in the DNS."""

    def key(_: bytes, timeout: float) -> bytes:
        return _key_record(lookup(f"{tags['s']}._domainkey.{tags['d']}", timeout), tags)

    try:
        checker: Any = dkim.DKIM(header, minkey=_KEY, timeout=_PATIENCE)
        fields, names, signatures = checker.verify_headerprep(number)
        fields = {tag: value for tag, value in fields.items() if tag != b"bh"}  # the body is checked already
        holds = checker.verify_sig(fields, names, signatures[number], key)
    except Unclear:
        raise
    except Exception as error:  # dkimpy raises a dozen kinds on hostile fields and keys, some by accident
        raise Unclear("its DKIM signature or key can't be read") from error
    if not holds:
        raise Unclear("its DKIM signature does not hold")


def _key_record(record: bytes | None, tags: Mapping[str, str]) -> bytes:
    """The record, if its key may be used for this signature (RFC 6376 3.6.1). Raises Unclear."""
    if record is None:
        raise Unclear("the key of its DKIM signature is not in the DNS, or can't be asked for now")
    if len(record) > _RECORD:
        raise Unclear("the key of its DKIM signature is too long")
    key = tags_of(record)
    flags = key.get("t", "").lower().split(":")
    if "y" in flags:
        raise Unclear("the key of its DKIM signature is for tests only")
    if "s" in flags and tags.get("i", f"@{tags['d']}").lower().rpartition("@")[2] != tags["d"].lower():
        raise Unclear("the key of its DKIM signature is not for subdomains")
    if not {"*", "email"} & set(key.get("s", "*").lower().split(":")) or "sha256" not in key.get("h", "sha256").lower():
        raise Unclear("the key of its DKIM signature is not for mail")
    return record
