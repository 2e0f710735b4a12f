"""The verdict on a sender: pure, from what the header says and, if wanted, from our own look at its signatures."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from watcher.findings import SenderVerdict, Trust
from watcher.mail.header import Header
from watcher.mail.trust.arc import first_seen
from watcher.mail.trust.domains import aligned, domain_in
from watcher.mail.trust.results import Result, Results, Unclear, read_results
from watcher.mail.trust.sender import sender_of
from watcher.mail.trust.trace import fields_of_ours
from watcher.model import Address

__all__ = ["TRUST_NOBODY", "OwnCheck", "Signed", "TrustPolicy", "judge"]


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Whose word counts for the mails of one account. Names are in any case and may hold `*`."""

    authserv: tuple[str, ...] = ()  #: authserv-ids of our border; without one nobody is believed
    border: tuple[str, ...] = ()  #: further hosts of ours that add Received fields, as these name them
    sealers: tuple[str, ...] = ()  #: domains of forwarders whose ARC seals count, if our border says they hold
    strict: bool = False  #: a domain that passed must be equal to that of From, not only have the same owner
    own_dkim: bool = False  #: where our border says nothing, look at the DKIM signatures ourselves


#: Where no authserv is configured.
TRUST_NOBODY = TrustPolicy()


@dataclass(frozen=True, slots=True)
class Signed:
    """What our own look at the signatures found."""

    result: str  #: "pass" for a signature of this domain that holds, else "fail" or "none"
    reason: str  #: in words


#: Looks for a signature that speaks for a domain. The second argument: strict alignment.
OwnCheck = Callable[[str, bool], Signed]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one field says about a domain."""

    spf: str | None
    dkim: str | None
    dmarc: str | None
    verified: str  #: what verifies the domain, "" if nothing does


def judge(header: Header, shown: tuple[Address, ...], policy: TrustPolicy, own_check: OwnCheck | None = None) -> Trust:
    """
    Whether the sender may be believed. `shown`: the From addresses that handlers get to see. Without `authserv` and
    `own_check` it is unverified; a doubtful From always fails; then a DMARC failure fails, a DMARC pass of the very
    domain verifies, else a DKIM or SPF pass of the same owner does.
    """
    if not policy.authserv and own_check is None:
        return _unverified(None, "no authserv is configured, so nobody's word counts")
    try:
        domain = sender_of(header, shown)
    except Unclear as doubt:
        return _failed(None, str(doubt))
    trust = _by_border(header, domain, policy)
    if trust.verdict is SenderVerdict.UNVERIFIED and own_check is not None:
        signed = own_check(domain, policy.strict)
        if signed.result == "pass":
            return replace(trust, verdict=SenderVerdict.VERIFIED, dkim="pass", by="own check", reason=signed.reason)
        reason = f"{trust.reason}; own check: {signed.reason}" if policy.authserv else signed.reason
        return replace(trust, dkim=trust.dkim or signed.result, by=trust.by or "own check", reason=reason)
    return trust


def _by_border(header: Header, domain: str, policy: TrustPolicy) -> Trust:
    """The verdict from the Authentication-Results of our border alone."""
    if not policy.authserv:
        return _unverified(domain, "no authserv is configured")
    server = None
    try:
        found = [read_results(field) for field in fields_of_ours(header, policy.authserv, policy.border)]
        if not found:
            return _unverified(domain, "our border has left no Authentication-Results where only it can write")
        # Good news count from the topmost field only, for that one is ours for certain; bad news from each.
        server = found[0].server
        for results in found:
            _refuse_other_sender(results, domain)
        evidence = _evidence(found[0], domain, strict=policy.strict)
        forwarded = _forwarded(header, found[0], domain, policy)
        if forwarded is not None and forwarded.verified:
            reason = f"{forwarded.verified}, as seen by a forwarder whose seal counts"
            return _verdict(SenderVerdict.VERIFIED, domain, forwarded, server, reason)
        if any(result.result == "fail" for results in found for result in results.of("dmarc")):
            return _verdict(SenderVerdict.FAILED, domain, replace(evidence, dmarc="fail"), server, "DMARC failed")
    except _OtherSender:
        return _failed(domain, "our border judged another sender than the one in From", server)
    except Unclear as doubt:
        return _unverified(domain, f"the Authentication-Results of our border can't be relied on: {doubt}", server)
    if evidence.verified:
        return _verdict(SenderVerdict.VERIFIED, domain, evidence, server, evidence.verified)
    return _verdict(
        SenderVerdict.UNVERIFIED, domain, evidence, server, "nothing that passed speaks for the domain of From"
    )


class _OtherSender(Exception):
    """The border read another From than we do."""


def _refuse_other_sender(results: Results, domain: str) -> None:
    for result in results.of("dmarc"):
        judged = result.value("header.from")
        if judged and domain_in(judged) != domain:
            raise _OtherSender


def _evidence(results: Results, domain: str, *, strict: bool) -> _Evidence:
    dmarc, spf = _only(results, "dmarc"), _only(results, "spf")
    dkim = _signature(results, domain, strict=strict)
    spf_result = _sender_path(spf, domain, strict=strict) if spf else None
    verified = ""
    if dmarc and dmarc.result == "pass" and domain_in(dmarc.value("header.from")) == domain:
        verified = "DMARC passed"
    elif dkim == "pass":
        verified = "a DKIM signature of the domain holds"
    elif spf_result == "pass":
        verified = "SPF passed for the domain"
    return _Evidence(spf_result, dkim, dmarc.result if dmarc else None, verified)


def _only(results: Results, method: str) -> Result | None:
    """The result of a method that can have but one. Raises Unclear if there are more."""
    found = results.of(method)
    if len(found) > 1:
        raise Unclear(f"it gives {method} twice")
    return found[0] if found else None


def _signature(results: Results, domain: str, *, strict: bool) -> str | None:
    """What DKIM says of the domain. Of several signatures one that failed outweighs those that passed."""
    found = results.of("dkim")
    ours = {result.result for result in found if aligned(_signer(result, strict=strict), domain, strict=strict)}
    if ours:
        return "fail" if "fail" in ours else "pass" if "pass" in ours else min(ours)
    if any(result.result == "pass" for result in found):
        return "unaligned"
    return found[0].result if found else None


def _signer(result: Result, *, strict: bool) -> str | None:
    """The signing domain: header.d, else that of header.i, which lies in it (RFC 6376 3.5) but may be longer."""
    signing = result.value("header.d")
    if signing is None and not strict:
        signing = result.value("header.i")
    return domain_in(signing)


def _sender_path(spf: Result, domain: str, *, strict: bool) -> str:
    """What SPF says of the domain. It may have passed for HELO alone, which anybody can choose, so both must fit."""
    if spf.result != "pass":
        return spf.result
    identities = [spf.value("smtp.mailfrom")]
    if spf.value("smtp.helo") is not None:
        identities.append(spf.value("smtp.helo"))
    fits = all(aligned(domain_in(identity), domain, strict=strict) for identity in identities)
    return "pass" if fits else "unaligned"


def _forwarded(header: Header, results: Results, domain: str, policy: TrustPolicy) -> _Evidence | None:
    """What a listed forwarder saw, if our border says that its chain holds."""
    arc = _only(results, "arc")
    if arc is None or arc.result != "pass" or not policy.sealers:
        return None
    try:
        seen = first_seen(header, policy.sealers)
        _refuse_other_sender(seen, domain)
        if any(result.result == "fail" for result in seen.of("dmarc")):
            return None
        return _evidence(seen, domain, strict=policy.strict)
    except (Unclear, _OtherSender):
        return None  # such a chain proves nothing, neither good nor bad


def _verdict(verdict: SenderVerdict, domain: str, evidence: _Evidence, by: str, reason: str) -> Trust:
    return Trust(verdict, domain, evidence.spf, evidence.dkim, evidence.dmarc, by, reason)


def _failed(domain: str | None, reason: str, by: str | None = None) -> Trust:
    return Trust(SenderVerdict.FAILED, domain, None, None, None, by, reason)


def _unverified(domain: str | None, reason: str, by: str | None = None) -> Trust:
    return Trust(SenderVerdict.UNVERIFIED, domain, None, None, None, by, reason)
