"""Mails as they reach a mailbox: our border's fields on top, the sender's below, and how far they are believed."""

from tests.mail.mails import lines
from watcher.findings import Trust
from watcher.limits import USUAL
from watcher.mail.defects import Defects
from watcher.mail.parse import letterhead
from watcher.mail.raw import Raw
from watcher.mail.tree import whole
from watcher.mail.trust import TrustPolicy, judge
from watcher.mail.trust.lookup import Lookup
from watcher.mail.trust.signature import own_check

#: Our border is mx.us.example, behind it store.us.example hands over to the mailbox.
POLICY = TrustPolicy(authserv=("mx.us.example",), border=("store.us.example",))

INNER = "Received: from mx.us.example (mx.us.example [192.0.2.10]) by store.us.example with LMTP id 1; Mon, 5 Oct 2026"
ENTRY = "Received: from mail.them.example (mail.them.example [192.0.2.20]) by mx.us.example (Postfix) with ESMTPS id 2"
EARLIER = "Received: from laptop (unknown [203.0.113.5]) by mail.them.example with ESMTPSA id 3"
BODY = ("To: us@us.example", "Subject: hello", "Date: Mon, 5 Oct 2026 10:00:00 +0200", "", "text")

#: When all these mails came, seconds since 1970: far ahead, as dkimpy itself compares with the clock on the wall.
NOW = 4_000_000_000.0


def stamp(results: str, server: str = "mx.us.example") -> str:
    return f"Authentication-Results: {server}; {results}"


def trusted(raw: bytes, policy: TrustPolicy = POLICY, lookup: Lookup | None = None) -> Trust:
    """The verdict as `unpack` would ask for it."""
    defects = Defects(50)
    whole_raw = Raw(raw)
    mail = whole(whole_raw, USUAL, defects)
    head = letterhead(mail.header, mail.content.charset, USUAL, defects)
    check = own_check(whole_raw, mail.start, NOW, lookup) if lookup else None
    return judge(mail.header, head.from_, policy, check)


def arrived(
    results: str, sender: str | bytes = "From: Bob <bob@them.example>", *, forged: tuple[str, ...] = ()
) -> bytes:
    """A mail over both hops, stamped by the border above its own Received; `forged` is what the sender put on top."""
    return lines(INNER, stamp(results), ENTRY, *forged, EARLIER, sender, *BODY)
