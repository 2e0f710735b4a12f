"""Domains, and which of them belong together (RFC 7489 3.1), by the public suffix list."""

import re
from functools import cache

from publicsuffixlist import PublicSuffixList

__all__ = ["aligned", "domain_in", "is_domain"]

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.(?!\d+\Z){_LABEL}", re.ASCII)

#: RFC 1035 2.3.4.
_LONGEST = 253

_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.)*"@([^@"<>]*)')
_PLAIN_LOCAL = re.compile(r"[^@\"<>()\s,:;\\]*@([^@\"<>]*)")


def is_domain(text: str) -> bool:
    """Is it a name of at least two plain labels, in lower case? Addresses in numbers are none."""
    return len(text) <= _LONGEST and _DOMAIN.fullmatch(text) is not None


def domain_in(value: str | None) -> str | None:
    """
    The domain of a value that is a domain or an address, in lower case; None if it is not clearly one of these. So
    "a@victim.example@evil.example" is neither, whoever may read what in it.
    """
    if not value:
        return None
    address = _QUOTED_LOCAL.fullmatch(value) or _PLAIN_LOCAL.fullmatch(value)
    domain = (address[1] if address else value).lower()
    return domain if is_domain(domain) else None


def aligned(one: str | None, other: str, *, strict: bool) -> bool:
    """Do both domains belong to the same owner? `strict`: they must be equal."""
    if one is None or not is_domain(one) or not is_domain(other):
        return False
    if one == other:
        return True
    owner = None if strict else _owner(one)
    return owner is not None and owner == _owner(other)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()  # 0.1 s and some MB: not before the first mail that needs it


def _owner(domain: str) -> str | None:
    """The domain that somebody registered, None for a public suffix."""
    found: str | None = _suffixes().privatesuffix(domain)
    return found
