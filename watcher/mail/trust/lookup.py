"""Key records from the DNS."""

from collections.abc import Callable

import dns.exception
import dns.rdatatype
import dns.resolver

__all__ = ["Lookup", "txt_record"]

#: Finds the TXT record of a name within some seconds; None if there is none, several, or no answer.
Lookup = Callable[[str, float], bytes | None]


def txt_record(name: str, seconds: float) -> bytes | None:
    """A `Lookup` that asks the system's resolver."""
    try:
        answer = dns.resolver.resolve(name, dns.rdatatype.TXT, lifetime=seconds, search=False)
    except (dns.exception.DNSException, OSError, ValueError):  # no such name, no server, no answer, no name at all
        return None
    records = [b"".join(record.strings) for record in answer]
    return records[0] if len(records) == 1 else None
