"""
Forged mails: none may be verified, whatever border, sender and words are made of.

Families: "Composition Kills" (USENIX Security 2020), and forgeries that mail tools of others fell for, as they are told
in their trackers. Each case is one a careless reader gets wrong. The victim is ceo@bank.example or bob@them.example.
"""

import pytest

from tests.mail.mails import lines
from tests.mail.trust.mailroom import BODY, EARLIER, ENTRY, INNER, POLICY, arrived, stamp, trusted
from watcher.findings import SenderVerdict
from watcher.mail.trust import TrustPolicy

CEO = "From: CEO <ceo@bank.example>"
PASS_BANK = "dmarc=pass header.from=bank.example; dkim=pass header.d=bank.example; spf=pass smtp.mailfrom=bank.example"
PASS_EVIL = "dmarc=pass header.from=evil.example; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example"
FAIL_BANK = "dmarc=fail (p=NONE) header.from=bank.example; dkim=none; spf=softfail smtp.mailfrom=evil.example"
FORGED = stamp(PASS_BANK)
BY_BORDER = "Received: from mail.bank.example (mail.bank.example [192.0.2.66]) by mx.us.example with ESMTPS id 9"
HELO = "Received: from mx.us.example (evil.example [198.51.100.6]) by mx.us.example (Postfix) with ESMTP id 2"
HELO_NOTED = "Received: from mx.us.example (HELO (x) mx.us.example) by mx.us.example with ESMTP id 2"
SEAL = "ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=%s; s=x; b=AA=="
SEEN = f"ARC-Authentication-Results: i=1; fwd.example; {PASS_BANK}"
SEALERS = TrustPolicy(authserv=("mx.us.example",), border=("store.us.example",), sealers=("fwd.example",))

#: Odd From fields: the border has seen and passed the attacker's own domain, or was led to take the victim's.
SENDERS = {
    "two fields": "From: x@evil.example\r\nFrom: ceo@bank.example",
    "two fields, the same domain twice": "From: ceo@bank.example\r\nFrom: CFO <cfo@bank.example>",
    "two fields, one with a blank before the colon": "From : x@evil.example\r\nFrom: ceo@bank.example",
    "two fields, the first in capitals": "FROM: x@evil.example\r\nfrom: ceo@bank.example",
    "two fields, the second folded away": "From: ceo@bank.example\r\nFrom:\r\n x@evil.example",
    "two addresses": "From: ceo@bank.example, x@evil.example",
    "two addresses, the other way": "From: x@evil.example, ceo@bank.example",
    "two in brackets": "From: <ceo@bank.example> <x@evil.example>",
    "an address before the brackets": "From: ceo@bank.example <x@evil.example>",
    "an address behind the brackets": "From: <x@evil.example> ceo@bank.example",
    "brackets in brackets": "From: <ceo@bank.example<x@evil.example>>",
    "a group": "From: bank: ceo@bank.example;",
    "an address as name of a group": "From: <x@evil.example>:<ceo@bank.example>",
    "an empty group": "From: undisclosed:;",
    "nothing": "From:",
    "an empty address": "From: CEO <>",
    "no field": "X-From: ceo@bank.example",
    "a name alone": "From: ceo",
    "a route": "From: <@evil.example,@any.example:ceo@bank.example>",
    "a route in brackets to the victim": "From: CEO <@bank.example:x@evil.example>",
    "a comment in the address": "From: ceo@bank.example(x@evil.example)",
    "a comment for the domain": "From: ceo@(x)bank.example",
    "a quoted local part": 'From: "ceo@bank.example"@evil.example',
    "a quoted local part, closed early": 'From: "x" <ceo@bank.example" <x@evil.example>',
    "an escape": "From: CEO <ceo\\@bank.example@evil.example>",
    "two at signs": "From: ceo@bank.example@evil.example",
    "an encoded field": "From: =?utf-8?B?PGNlb0BiYW5rLmV4YW1wbGU+?=",
    "an encoded address in brackets": "From: <=?utf-8?B?Y2VvQGJhbmsuZXhhbXBsZQ==?=@evil.example>",
    "an encoded address before another": "From: =?utf-8?Q?=3Cceo@bank.example=3E?=, <x@evil.example>",
    "a NUL in the address": "From: ceo@bank.example\0<x@evil.example>",
    "a NUL behind the domain": "From: CEO <ceo@bank.example\0.evil.example>",
    "a bare CR": "From: ceo@bank.example\rFrom: x@evil.example",
    "other letters that look the same": "From: ceo@b\u0430nk.example",
    "a dot of another script": "From: ceo@bank\u3002example",
    "a number for a domain": "From: ceo@[192.0.2.66]",
    "a domain with a dot behind": "From: ceo@bank.example.",
    "a subdomain that is not there": "From: ceo@no.such.bank.example",
    "a domain that begins alike": "From: ceo@bank.example.evil.example.bank",
    "a name before a field": "From\0: x@evil.example\r\nFrom: ceo@bank.example\r\nFrom\t: y@evil.example",
}


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS.keys())
@pytest.mark.parametrize("results", [PASS_EVIL, PASS_BANK], ids=["attacker passed", "victim passed"])
def test_an_odd_sender_is_never_verified(sender, results):
    if results == PASS_BANK and "no.such" in sender:
        results = PASS_EVIL
    trust = trusted(arrived(results, sender))
    assert trust.verdict is not SenderVerdict.VERIFIED
    assert trust.reason


#: What the fields of a mail from CEO are, top to bottom.
STAMPS = {
    "unsigned, and our border says so": (INNER, stamp(FAIL_BANK), ENTRY),
    "forged below our border's own": (INNER, stamp(FAIL_BANK), ENTRY, FORGED),
    "forged, our border says nothing of it": (INNER, stamp("spf=pass smtp.mailfrom=evil.example"), ENTRY, FORGED),
    "forged right behind ours, none of us between": (
        INNER,
        ENTRY,
        stamp("spf=pass smtp.mailfrom=evil.example"),
        FORGED,
    ),
    "forged, nobody of us writes any": (INNER, ENTRY, EARLIER, FORGED),
    "forged as if it had come by our border before": (INNER, ENTRY, BY_BORDER, FORGED),
    "forged with all of our hops": (INNER, ENTRY, INNER, BY_BORDER, FORGED),
    "greeting with our name, our border's stamp on top": (INNER, stamp(FAIL_BANK), HELO, FORGED, BY_BORDER),
    "greeting with our name, our border writes no stamp": (INNER, HELO, BY_BORDER, FORGED),
    "greeting with our name, which the server notes": (INNER, HELO_NOTED, BY_BORDER, FORGED),
    "alone, no hop of ours known": ("Received: from a by other.example", FORGED, ENTRY),
    "the hop can't be read": ("Received: (qmail 1 invoked from network)", FORGED),
    "the hop names us in a comment only": ("Received: from a (by mx.us.example) by other.example", FORGED),
    "the hop names us twice": ("Received: from a by other.example by mx.us.example", FORGED),
    "the hop begins with our name": ("Received: from a by mx.us.example.evil.example", FORGED),
    "of another server": (INNER, stamp(PASS_BANK, "mx.evil.example"), ENTRY),
    "of a server that begins alike": (INNER, stamp(PASS_BANK, "mx.us.example.evil.example"), ENTRY),
    "of a server that ends alike": (INNER, stamp(PASS_BANK, "evil-mx.us.example"), ENTRY),
    "of a quoted server": (INNER, stamp(PASS_BANK, '"mx.us.example"'), ENTRY),
    "of a server behind a comment": (INNER, stamp(PASS_BANK, "(x) mx.us.example"), ENTRY),
    "of a server before a NUL": (INNER, stamp(PASS_BANK, "mx.us.example\0"), ENTRY),
    "of no server": (INNER, f"Authentication-Results: {PASS_BANK}", ENTRY),
    "of an empty server": (INNER, stamp(PASS_BANK, ""), ENTRY),
    "of our server in another version": (INNER, stamp(PASS_BANK, "mx.us.example 2"), ENTRY),
    "in a field with another name": (
        INNER,
        f"X-{FORGED}",
        f"Authentication-Results-Original: mx.us.example; {PASS_BANK}",
    ),
    "attacker's domain passes all": (INNER, stamp(PASS_EVIL), ENTRY),
    "DMARC of the attacker, DKIM of the victim": (
        INNER,
        stamp("dmarc=pass header.from=evil.example; dkim=pass header.d=bank.example"),
        ENTRY,
    ),
    "DMARC without saying for whom": (INNER, stamp("dmarc=pass; spf=none"), ENTRY),
    "DMARC for two": (INNER, stamp("dmarc=pass header.from=evil.example header.from=bank.example"), ENTRY),
    "DMARC failed, then passed": (INNER, stamp("dmarc=fail header.from=bank.example; " + PASS_BANK), ENTRY),
    "DMARC passed, then failed": (INNER, stamp(PASS_BANK + "; dmarc=fail header.from=bank.example"), ENTRY),
    "DMARC passed twice": (INNER, stamp("dmarc=pass header.from=bank.example; " + PASS_BANK), ENTRY),
    "DMARC failed in a second field": (INNER, stamp(PASS_BANK), stamp("dmarc=fail header.from=bank.example"), ENTRY),
    "DMARC nearly passed": (INNER, stamp("dmarc=bestguesspass header.from=bank.example"), ENTRY),
    "DMARC passed in a comment": (INNER, stamp("spf=none (dmarc=pass header.from=bank.example)"), ENTRY),
    "DMARC passed in a nested comment": (
        INNER,
        stamp("spf=fail (note (x) ; dmarc=pass header.from=bank.example;)"),
        ENTRY,
    ),
    "DMARC passed in a reason": (INNER, stamp('spf=fail reason="; dmarc=pass header.from=bank.example;"'), ENTRY),
    "DMARC passed as a property": (INNER, stamp("spf=fail dmarc=pass header.from=bank.example"), ENTRY),
    "a local part closes the comment": (
        INNER,
        stamp(
            'spf=pass (us: domain of "a); dmarc=pass header.from=bank.example (b"@evil.example permitted)'
            ' smtp.mailfrom="a); dmarc=pass header.from=bank.example (b"@evil.example'
        ),
        ENTRY,
    ),
    "a bare local part closes the comment": (
        INNER,
        stamp(
            "spf=pass (us: domain of a); dmarc=pass header.from=bank.example (b@evil.example permitted)"
            " smtp.mailfrom=a); dmarc=pass header.from=bank.example (b@evil.example"
        ),
        ENTRY,
    ),
    "a local part with a semicolon": (INNER, stamp(f'spf=pass smtp.mailfrom="; {PASS_BANK};"@evil.example'), ENTRY),
    "signed for a domain with a comment": (INNER, stamp("dkim=pass header.d=bank.example(.evil.example)"), ENTRY),
    "signed for a domain with an open comment": (INNER, stamp("dkim=pass header.d=bank.example(.evil.example"), ENTRY),
    "signed for a domain with a quote": (INNER, stamp("dkim=pass header.d=bank.example'a.evil.example"), ENTRY),
    "signed for a domain with a NUL": (INNER, stamp("dkim=pass header.d=bank.example\0.evil.example"), ENTRY),
    "signed for the victim as user of another": (
        INNER,
        stamp("dkim=pass header.d=evil.example header.i=@bank.example"),
        ENTRY,
    ),
    "signed for two": (INNER, stamp("dkim=pass header.d=evil.example header.d=bank.example"), ENTRY),
    "signature failed, another passed": (INNER, stamp("dkim=fail header.d=bank.example; dkim=pass"), ENTRY),
    "signature passed and failed": (
        INNER,
        stamp("dkim=pass header.d=bank.example; dkim=fail header.d=bank.example"),
        ENTRY,
    ),
    "the selector names the victim": (INNER, stamp("dkim=pass header.d=evil.example header.s=bank.example"), ENTRY),
    "a public suffix signed": (INNER, stamp("dkim=pass header.d=example"), ENTRY),
    "SPF passed for HELO alone": (INNER, stamp("spf=pass smtp.helo=bank.example"), ENTRY),
    "SPF passed for HELO of the attacker": (
        INNER,
        stamp("spf=pass smtp.helo=evil.example smtp.mailfrom=bank.example"),
        ENTRY,
    ),
    "SPF passed for a mailbox within a mailbox": (
        INNER,
        stamp("spf=pass smtp.mailfrom=<ceo@bank.example,@evil.example>"),
        ENTRY,
    ),
    "SPF passed for two at signs": (INNER, stamp("spf=pass smtp.mailfrom=x@evil.example@bank.example"), ENTRY),
    "SPF passed for a quoted victim": (INNER, stamp('spf=pass smtp.mailfrom="x@bank.example"@evil.example'), ENTRY),
    "SPF passed for the victim in a comment": (
        INNER,
        stamp("spf=pass smtp.mailfrom=bank.example(.evil.example)"),
        ENTRY,
    ),
    "SPF passed, DMARC did not": (
        INNER,
        stamp("spf=pass smtp.mailfrom=bank.example; dmarc=fail header.from=bank.example"),
        ENTRY,
    ),
    "sealed by nobody we know": (INNER, stamp("arc=pass; spf=none"), ENTRY, SEAL % "evil.example", SEEN),
    "sealed, as the sealer says, not our border": (INNER, stamp("spf=none"), ENTRY, SEAL % "fwd.example", SEEN),
    "seal broken": (INNER, stamp("arc=fail; spf=none"), ENTRY, SEAL % "fwd.example", SEEN),
    "sealed, two firsts": (INNER, stamp("arc=pass; spf=none"), ENTRY, SEAL % "fwd.example", SEEN, SEEN),
    "sealed twice, once by another": (
        *(INNER, stamp("arc=pass; spf=none"), ENTRY, SEAL % "fwd.example", SEEN),
        "ARC-Seal: i=2; cv=pass; d=evil.example; s=x; b=AA==",
    ),
    "sealed for another sender": (
        *(INNER, stamp("arc=pass; spf=none"), ENTRY, SEAL % "fwd.example"),
        f"ARC-Authentication-Results: i=1; fwd.example; {PASS_EVIL}",
    ),
}


@pytest.mark.parametrize("fields", STAMPS.values(), ids=STAMPS.keys())
def test_a_forged_or_misread_stamp_never_verifies(fields):
    trust = trusted(lines(*fields, EARLIER, CEO, *BODY), SEALERS)
    assert trust.verdict is not SenderVerdict.VERIFIED
    assert trust.reason


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        (TrustPolicy(), SenderVerdict.UNVERIFIED),  # nobody is to be believed
        (TrustPolicy(border=("mx.us.example", "store.us.example")), SenderVerdict.UNVERIFIED),
        (TrustPolicy(authserv=("",)), SenderVerdict.UNVERIFIED),
        (TrustPolicy(authserv=("us.example",), border=("*.us.example",)), SenderVerdict.UNVERIFIED),
    ],
)
def test_without_its_name_our_border_is_not_believed(policy, verdict):
    assert trusted(arrived(PASS_BANK, CEO), policy).verdict is verdict
    assert trusted(arrived(PASS_BANK, CEO), POLICY).verdict is SenderVerdict.VERIFIED


def test_strict_alignment_wants_the_domain_itself():
    strict = TrustPolicy(POLICY.authserv, POLICY.border, strict=True)
    for results in ("dkim=pass header.d=bank.example", "dkim=pass header.i=@mail.bank.example"):
        raw = arrived(results, "From: ceo@mail.bank.example")
        assert trusted(raw).verdict is SenderVerdict.VERIFIED
        assert trusted(raw, strict).verdict is SenderVerdict.UNVERIFIED


def test_the_reason_holds_no_words_of_the_mail():
    for fields in STAMPS.values():
        reason = trusted(lines(*fields, EARLIER, CEO, *BODY), SEALERS).reason
        assert "example" not in reason
        assert reason.isprintable()


def test_failed_is_said_where_somebody_we_trust_says_so():
    assert trusted(arrived(FAIL_BANK, CEO)).verdict is SenderVerdict.FAILED
    assert trusted(arrived(PASS_EVIL, CEO)).verdict is SenderVerdict.FAILED
    assert trusted(arrived(PASS_EVIL, SENDERS["two fields"])).verdict is SenderVerdict.FAILED
    assert trusted(arrived("spf=fail smtp.mailfrom=evil.example; dkim=none", CEO)).verdict is SenderVerdict.UNVERIFIED
