"""
What a chain of forwarders saw (ARC, RFC 8617), for sealers that the configuration lists.

We verify no seals: our border says that the chain holds (`arc=pass`), and then only chains count whose every sealer is
listed, since each of them could have made up what stands before it.
"""

from watcher.mail.header import Header
from watcher.mail.trust.domains import domain_in
from watcher.mail.trust.results import Results, Unclear, read_results
from watcher.mail.trust.tags import tags_of
from watcher.mail.trust.trace import listed

__all__ = ["first_seen"]

#: RFC 8617 4.2.1.
_LONGEST_CHAIN = 50


def first_seen(header: Header, sealers: tuple[str, ...]) -> Results:
    """The results that the first sealer of the chain wrote down. Raises Unclear if the chain does not count."""
    seals = [tags_of(field) for field in header.all("arc-seal")]
    if not 1 <= len(seals) <= _LONGEST_CHAIN or {seal.get("i") for seal in seals} != set(_numbers(len(seals))):
        raise Unclear("its ARC chain has gaps")
    for seal in seals:
        if not listed(domain_in(seal.get("d")), sealers):
            raise Unclear("a sealer of its ARC chain is not listed")
        if seal.get("cv", "").lower() != ("none" if seal["i"] == "1" else "pass"):
            raise Unclear("its ARC chain was broken on the way")
    first = [rest for number, rest in _results(header) if number == "1"]
    if len(first) != 1:
        raise Unclear("its ARC chain has no first results, or several")
    return read_results(first[0])


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


def _results(header: Header) -> list[tuple[str, bytes]]:
    """Instance and content of each ARC-Authentication-Results: "i=1; mx.example; spf=pass"."""
    found = []
    for field in header.all("arc-authentication-results"):
        instance, _, rest = field.partition(b";")
        found.append((tags_of(instance).get("i", ""), rest))
    return found
