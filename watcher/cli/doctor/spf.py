"""Who may send for a domain (SPF, RFC 7208), as far as that can be told without a mail."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from watcher.config.providers.discovery import Exchanger

__all__ = ["Names", "Senders", "senders"]

MOST = 10  #: questions that a receiver asks (RFC 7208 4.6.4)
RECORD = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)


class Names(Protocol):
    """DNS. Each raises NamesUnavailable."""

    def texts(self, name: str) -> list[str]:
        """TXT."""

    def addresses(self, name: str) -> list[str]:
        """A and AAAA."""

    def exchangers(self, domain: str) -> list[Exchanger]:
        """MX."""

    def pointers(self, address: str) -> list[str]:
        """PTR."""


@dataclass(slots=True)
class Senders:
    """What the record of a domain comes to."""

    records: int  #: one is right
    ending: str = ""  #: what is said of all others: "-all", "~all", "?all", "+all", "" if nothing
    included: set[str] = field(default_factory=set)  #: domains whose senders are ours, too
    networks: list[str] = field(default_factory=list)  #: addresses and networks
    questions: int = 0  #: that a receiver must ask

    @property
    def too_many(self) -> bool:
        """Whether a receiver gives up, and takes the record for broken."""
        return self.questions > MOST

    def has(self, address: str) -> bool:
        """Whether this address may send."""
        found = ipaddress.ip_address(address)
        return any(found in network for network in self._networks() if network.version == found.version)

    def _networks(self) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        for text in self.networks:
            try:
                yield ipaddress.ip_network(text, strict=False)
            except ValueError:
                continue  # of no use to a receiver either


def senders(domain: str, names: Names) -> Senders:
    """Raises NamesUnavailable."""
    records = [text for text in names.texts(domain) if RECORD.match(text)]
    found = Senders(len(records))
    if len(records) == 1:
        _read(records[0], domain, names, found)
    return found


def _read(record: str, domain: str, names: Names, found: Senders) -> None:
    for term in record.split()[1:]:
        kind, _, value = term.lstrip("+-~?").partition("=" if term.startswith("redirect=") else ":")
        kind, _, length = kind.lower().partition("/")
        if kind == "all":
            found.ending = found.ending or (term if term[0] in "+-~?" else f"+{term}").lower()
        elif kind in {"ip4", "ip6"} and term[0] not in "-~?":
            found.networks.append(value)
        elif kind in {"include", "redirect", "a", "mx", "ptr", "exists"}:
            found.questions += 1
            if found.questions <= MOST:
                _follow(kind, value.lower(), length, domain, names, found)


def _follow(kind: str, value: str, length: str, domain: str, names: Names, found: Senders) -> None:
    name, _, size = (value or domain).partition("/")
    size = size or length
    hosts = [name] if kind == "a" else [one.host.rstrip(".") for one in names.exchangers(name)] if kind == "mx" else []
    for host in hosts:
        found.networks += [f"{one}/{size}" if size and ":" not in one else one for one in names.addresses(host)]
    if kind in {"include", "redirect"} and name not in found.included:
        found.included.add(name)
        inner = Senders(0, "" if kind == "redirect" else "-", found.included, found.networks, found.questions)
        for text in names.texts(name):
            if RECORD.match(text):
                _read(text, name, names, inner)
        found.questions = inner.questions
        found.ending = found.ending or (inner.ending if kind == "redirect" else "")
