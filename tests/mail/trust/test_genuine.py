"""Genuine mails, as real borders stamp them, are verified, and the verdict says for whom and by whom."""

import pytest

from tests.mail.mails import lines
from tests.mail.trust.mailroom import BODY, EARLIER, ENTRY, INNER, POLICY, arrived, stamp, trusted
from watcher.findings import SenderVerdict, Trust
from watcher.mail.trust import TrustPolicy

BOB = "From: Bob <bob@them.example>"
PASS = "spf=pass smtp.mailfrom=them.example; dkim=pass header.d=them.example; dmarc=pass header.from=them.example"
GMAIL = TrustPolicy(authserv=("mx.google.com",), border=("2002:*", "10.*"))
YAHOO = TrustPolicy(authserv=("atlas-production.*.omega.yahoo.com",), border=("10.*", "127.0.0.1"))
SEALERS = TrustPolicy(POLICY.authserv, POLICY.border, sealers=("lists.example", "*.fwd.example", "fwd.example"))

AT_GMAIL = b"""Delivered-To: us@gmail.example
Received: by 2002:a05:6a10:1234:b0:1c1:2 with SMTP id x1csp; Mon, 5 Oct 2026 01:00:02 -0700 (PDT)
X-Received: by 2002:a17:906:1111 with SMTP id z1; Mon, 5 Oct 2026 01:00:01 -0700 (PDT)
Return-Path: <bob@them.example>
Received: from mail.them.example (mail.them.example. [192.0.2.20])
        by mx.google.com with ESMTPS id a1
        for <us@gmail.example>
        (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);
        Mon, 05 Oct 2026 01:00:01 -0700 (PDT)
Authentication-Results: mx.google.com;
       dkim=pass header.i=@them.example header.s=s1 header.b=ab+/cd==;
       spf=pass (google.com: domain of bob@them.example designates 192.0.2.20 as permitted sender) \
smtp.mailfrom=bob@them.example;
       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=them.example
"""
AT_YAHOO = b"""Received: from 127.0.0.1
 by atlas-production.v2-mail.omega.yahoo.com with HTTP; Mon, 5 Oct 2026 05:36:13 +0000
Return-Path: <bob@them.example>
Authentication-Results: atlas-production.v2-mail.omega.yahoo.com;
 dkim=pass header.i=@them.example;
 spf=none smtp.mailfrom=bounce.them.example;
 dmarc=pass(p=REJECT) header.from=them.example;
Received: from 192.0.2.20 (EHLO mail.them.example)
 by 10.253.231.24 with SMTPs
 (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256);
 Mon, 5 Oct 2026 05:36:13 +0000
"""
SEALS = (
    "ARC-Seal: i=2; a=rsa-sha256; t=2; cv=pass; d=fwd.example; s=x; b=AA==",
    "ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=lists.example; s=x;\r\n b=AA==",
    "ARC-Authentication-Results: i=2; fwd.example; arc=pass; dmarc=fail header.from=them.example",
    f"ARC-Authentication-Results: i=1; lists.example 1; {PASS}",
)

GENUINE = {
    "all passed": (arrived(PASS), POLICY),
    "a plain address": (arrived(PASS, "From: bob@them.example"), POLICY),
    "a quoted name with a comma": (arrived(PASS, 'From: "Doe, Bob (sales)" <bob@them.example>'), POLICY),
    "an encoded name": (arrived(PASS, "From: =?utf-8?Q?B=C3=B6b?= <bob@them.example>"), POLICY),
    "an 8-bit name": (arrived(PASS, b'From: "B\xf6b" <bob@them.example>'), POLICY),
    "the address as its own name": (arrived(PASS, "From: bob@them.example <bob@them.example>"), POLICY),
    "a name behind": (arrived(PASS, "From: bob@them.example (Bob)"), POLICY),
    "a folded field": (arrived(PASS, "From: Bob\r\n <bob@them.example>"), POLICY),
    "capitals": (arrived(PASS.upper().replace("PASS", "Pass"), "From: Bob <Bob@Them.Example>"), POLICY),
    "DMARC alone": (arrived("dmarc=pass (p=reject (really)) header.from=them.example"), POLICY),
    "a signature of the domain": (arrived("dkim=pass header.d=them.example; spf=softfail"), POLICY),
    "a signature of a subdomain": (arrived("dkim=pass header.d=mail.them.example; dmarc=none"), POLICY),
    "a signature of ours among others": (
        arrived("dkim=fail header.d=list.example; dkim=pass header.d=them.example header.i=bob@them.example"),
        POLICY,
    ),
    "SPF of the domain": (arrived("spf=pass smtp.mailfrom=bounce@them.example; dkim=none"), POLICY),
    "SPF, and a greeting of the same": (
        arrived("spf=pass smtp.mailfrom=them.example smtp.helo=mail.them.example"),
        POLICY,
    ),
    "a stamp below the border's hop": (lines(INNER, ENTRY, stamp(PASS), EARLIER, BOB, *BODY), POLICY),
    "no inner hop": (lines(stamp(PASS), ENTRY, EARLIER, BOB, *BODY), TrustPolicy(("mx.us.example",))),
    "an older stamp of another border below": (
        lines(INNER, stamp(PASS), ENTRY, stamp("dmarc=fail header.from=them.example", "mx.old.example"), BOB, *BODY),
        POLICY,
    ),
    "several fields of our border": (
        lines(INNER, stamp(PASS), stamp("spf=pass smtp.mailfrom=them.example"), ENTRY, BOB, *BODY),
        POLICY,
    ),
    "two hops within, one by a filter": (
        lines(
            *(INNER, "Received: from localhost (localhost [127.0.0.1]) by mx.us.example (Postfix) with ESMTP id 5"),
            *(ENTRY, stamp(PASS), EARLIER, BOB, *BODY),
        ),
        TrustPolicy(POLICY.authserv, ("store.us.example", "localhost")),
    ),
    "Gmail": (AT_GMAIL.replace(b"\n", b"\r\n") + lines(EARLIER, BOB, *BODY), GMAIL),
    "Yahoo": (AT_YAHOO.replace(b"\n", b"\r\n") + lines(EARLIER, BOB, *BODY), YAHOO),
    "over a list whose seal counts": (
        lines(INNER, stamp("arc=pass; dmarc=fail header.from=them.example; dkim=fail"), ENTRY, *SEALS, BOB, *BODY),
        SEALERS,
    ),
}


@pytest.mark.parametrize(("raw", "policy"), GENUINE.values(), ids=GENUINE.keys())
def test_a_genuine_mail_is_verified(raw, policy):
    trust = trusted(raw, policy)
    assert trust.verdict is SenderVerdict.VERIFIED, trust.reason
    assert trust.domain == "them.example"


def test_the_verdict_says_what_was_found():
    assert trusted(arrived(PASS)) == Trust(
        SenderVerdict.VERIFIED, "them.example", "pass", "pass", "pass", "mx.us.example", "DMARC passed"
    )
    assert trusted(arrived("spf=pass smtp.mailfrom=esp.example; dkim=pass header.d=esp.example; dmarc=none")) == Trust(
        *(SenderVerdict.UNVERIFIED, "them.example", "unaligned", "unaligned", "none", "mx.us.example"),
        "nothing that passed speaks for the domain of From",
    )
