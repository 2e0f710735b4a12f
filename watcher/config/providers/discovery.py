"""The profile for a domain that is hosted somewhere: its mail exchangers tell the provider, or it names its servers."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from watcher.config.providers.catalogue import generic, hosted_by, profile_at, profile_for
from watcher.config.providers.profile import Found, Profile, Server

__all__ = ["Answers", "Exchanger", "Resolver", "Service", "decide", "discover"]


@dataclass(frozen=True, slots=True, order=True)
class Exchanger:
    """One MX record."""

    preference: int  #: the lowest first
    host: str


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record (RFC 2782)."""

    priority: int  #: the lowest first
    weight: int  #: among equals, how often
    port: int
    host: str  #: "." says that there is no such service (RFC 6186 3.4)


@dataclass(frozen=True, slots=True)
class Answers:
    """What DNS says of a domain."""

    exchangers: Sequence[Exchanger] = ()
    imaps: Sequence[Service] = ()  #: IMAP with TLS from the first byte
    imap: Sequence[Service] = ()  #: IMAP with STARTTLS
    submissions: Sequence[Service] = ()  #: sending with TLS from the first byte (RFC 8314 5.1)
    submission: Sequence[Service] = ()  #: sending with STARTTLS


class Resolver(Protocol):
    """Who asks DNS. No answer is an empty sequence; NamesUnavailable means that DNS can't be asked."""

    def exchangers(self, domain: str) -> Sequence[Exchanger]: ...

    def services(self, name: str) -> Sequence[Service]: ...


def discover(address: str, resolver: Resolver) -> Profile:
    """The profile for `address`; DNS is asked only where the domain is not a known provider's own.

    Raises NamesUnavailable.
    """
    profile = profile_for(address)
    if profile.found is not Found.GUESS:
        return profile
    domain = address.rpartition("@")[2]
    answers = Answers(exchangers=resolver.exchangers(domain))
    if hosted_by(exchanger.host for exchanger in sorted(answers.exchangers)) is None:
        answers = Answers(
            answers.exchangers,
            imaps=resolver.services(f"_imaps._tcp.{domain}"),
            imap=resolver.services(f"_imap._tcp.{domain}"),
            submissions=resolver.services(f"_submissions._tcp.{domain}"),
            submission=resolver.services(f"_submission._tcp.{domain}"),
        )
    return decide(domain, answers)


def decide(domain: str, answers: Answers) -> Profile:
    """The profile that these answers speak for.

    A known provider's mail exchanger counts more than what the domain names: forged, it leads to a known host only.
    """
    hosted = hosted_by(exchanger.host for exchanger in sorted(answers.exchangers))
    if hosted is not None:
        return hosted
    imap = _best(answers.imaps, "implicit") or _best(answers.imap, "starttls")
    if imap is None:
        return generic(domain)
    known = profile_at(imap.host, imap.port)
    if known is not None:
        return dataclasses.replace(known, found=Found.SRV)
    profile = generic(domain)
    smtp = _best(answers.submissions, "implicit") or _best(answers.submission, "starttls") or profile.smtp
    return dataclasses.replace(profile, imap=imap, smtp=smtp, found=Found.SRV)


def _best(services: Sequence[Service], tls: str) -> Server | None:
    """Where to connect. The heaviest of the first ones, not a random one: whoever looks twice finds the same."""
    offered = [service for service in services if service.host not in ("", ".")]
    if not offered:
        return None
    best = min(offered, key=lambda service: (service.priority, -service.weight, service.host))
    return Server(best.host.rstrip(".").lower(), best.port, "implicit" if tls == "implicit" else "starttls")
