"""Asking DNS, in a limited time. The only place that knows dnspython."""

import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.resolver

from watcher.config.providers.discovery import Exchanger, Service
from watcher.errors import NamesUnavailable

__all__ = ["DnsResolver"]


class DnsResolver:
    """A `Resolver` for one search: all its questions together take `seconds` at most."""

    def __init__(self, seconds: float = 5.0, servers: Sequence[str] = (), port: int = 53) -> None:
        """`servers`: addresses of name servers, those of this machine if none are given. Raises NamesUnavailable."""
        try:
            self._resolver = dns.resolver.Resolver(configure=not servers)
        except dns.exception.DNSException as error:
            raise NamesUnavailable(f"no name server is known to this machine: {error}") from error
        if servers:
            self._resolver.nameservers = list(servers)
            self._resolver.port = port
        self._until = time.monotonic() + seconds

    def exchangers(self, domain: str) -> list[Exchanger]:
        """The mail exchangers of `domain`. Raises NamesUnavailable."""
        return [Exchanger(record.preference, str(record.exchange)) for record in self._ask(domain, "MX")]

    def services(self, name: str) -> list[Service]:
        """The services under `name`, such as "_imaps._tcp.example.com". Raises NamesUnavailable."""
        return [
            Service(record.priority, record.weight, record.port, str(record.target))
            for record in self._ask(name, "SRV")
        ]

    def texts(self, name: str) -> list[str]:
        """The TXT records of `name`, each put together of its pieces. Raises NamesUnavailable."""
        return [b"".join(record.strings).decode("utf-8", "replace") for record in self._ask(name, "TXT")]

    def addresses(self, name: str) -> list[str]:
        """The addresses of `name`, of both kinds. Raises NamesUnavailable."""
        return [record.address for kind in ("A", "AAAA") for record in self._ask(name, kind)]

    def pointers(self, address: str) -> list[str]:
        """The names that an address has. Raises NamesUnavailable."""
        return [str(record.target).rstrip(".") for record in self._ask(ip_address(address).reverse_pointer, "PTR")]

    def _ask(self, name: str, kind: str) -> list[Any]:
        left = max(0.0, self._until - time.monotonic())
        try:
            return list(self._resolver.resolve(f"{name}.", kind, lifetime=left, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.Timeout, dns.resolver.NoNameservers, OSError) as error:
            raise NamesUnavailable(f"no name server answers for {name!r}: offline, or DNS is out of order") from error
        except (dns.exception.DNSException, UnicodeError):
            return []  # no name at all (an empty or endless label): then there is nothing under it
