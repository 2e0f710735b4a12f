"""Which Authentication-Results are those of our own border, by where they stand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from watcher.mail.header import Header
from watcher.mail.trust.results import Unclear, clauses, server_of

__all__ = ["fields_of_ours", "listed"]

#: "from" a host, remarks, "by" a host (RFC 5321 4.4). A hop within one machine has no "from". A host stands alone.
_HOP = re.compile(r"[ \t\1]*+(?:from[ \t\1]++([^\s\1]+)[ \t\1]++)?by[ \t\1]++([^\s\1]+)(?=[ \t\1]|\Z)", re.IGNORECASE)

#: The remark behind the name of the peer: the name and address that the server itself found (RFC 5321 4.4, TCP-info).
_PEER = re.compile(rb"[ \t]*from[ \t]+[^\s()]+[ \t]+\(([^()]*)", re.IGNORECASE)
_WORD = re.compile(r"[^\s\[\]=,;]+")


@dataclass(frozen=True, slots=True)
class _Hop:
    """What a Received field says."""

    by: str  #: who wrote it
    source: str | None  #: what the peer called itself, which can be anything; None if the hop is within one machine
    peer: tuple[str, ...] | None  #: what the server found the peer to be; None if it doesn't say

    def is_within(self, hosts: tuple[str, ...]) -> bool:
        """Did the mail come from one of these hosts, by its own word and by what the server found?"""
        if self.source is None:
            return True
        return listed(self.source, hosts) and (self.peer is None or any(listed(word, hosts) for word in self.peer))


def fields_of_ours(header: Header, authserv: tuple[str, ...], border: tuple[str, ...]) -> Iterator[bytes]:
    """
    The Authentication-Results of servers named in `authserv` that stand where only our own hosts write, topmost first.

    Each host adds its fields on top (RFC 5321 4.4, RFC 8601 4). So going down we pass the Received fields of our own
    hosts: those whose "by" is in `border` or `authserv`. The first of another host ends it: all below was there before.
    So does the one behind the hop where the mail came in, ours "by" but not "from": what stands below that one was
    written by others, even if it calls itself ours.
    """
    hosts = (*border, *authserv)
    came_in = False
    for field in header.fields:
        name = field.name.lower()
        if name == "received":
            hop = None if came_in else _hop(field.value)
            if hop is None or not listed(hop.by, hosts):
                return
            came_in = not hop.is_within(hosts)
        elif name == "authentication-results" and listed(server_of(field.value), authserv):
            yield field.value


def listed(host: str | None, names: tuple[str, ...]) -> bool:
    """Is the host one of these names? A name may hold `*`."""
    return host is not None and any(fnmatchcase(host.lower(), name.lower()) for name in names)


def _hop(field: bytes) -> _Hop | None:
    try:
        text = clauses(field)[0]
    except Unclear:
        return None
    found = _HOP.match(text)
    if found is None:
        return None
    remark = _PEER.match(field)
    words = tuple(word.rstrip(".") for word in _WORD.findall(remark[1].decode("latin-1"))) if remark else None
    return _Hop(found[2], found[1], words)
