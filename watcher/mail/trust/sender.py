"""
The one address that a mail claims to come from, or a refusal.

Mail programs, filters and servers read odd From fields differently, and each difference has been used to show one
sender and check another ("Composition Kills", USENIX Security 2020). So only what all read alike is taken.
"""

import re

from watcher.mail.header import Header
from watcher.mail.trust.domains import is_domain
from watcher.mail.trust.results import Unclear
from watcher.model import Address

__all__ = ["sender_of"]

#: Octets of the longest From that is looked at.
_LONGEST = 2000

#: RFC 5322 3.4.1, without what is obsolete. Quoted local parts are legal; nobody has one, and parsers differ on them.
_ADDRESS = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64})@([A-Za-z0-9.-]{1,253})")

#: One mailbox with a name before it in words or quotes. Octets that are not ASCII may stand in the name.
_NAMED = re.compile(r'[ \t]*+((?:[^"()<>,;:\\]++|"(?:[^"\\]|\\.)*+")*+)<([^<>]*+)>[ \t]*+')


def sender_of(header: Header, shown: tuple[Address, ...]) -> str:
    """
    The domain of the From address, in lower case. `shown` is what handlers get to see of the field: it must be that
    very address. Raises Unclear if there is not exactly one From field with exactly one plain address.
    """
    fields = list(header.all("from"))
    if len(fields) != 1:
        raise Unclear("it has no From" if not fields else "it has more than one From")
    if len(fields[0]) > _LONGEST:
        raise Unclear("its From is too long")
    field = fields[0].decode("latin-1")
    if any((ord(letter) < 32 and letter != "\t") or ord(letter) == 127 for letter in field):
        raise Unclear("its From has control characters")
    address = _address(_without_remark(field))
    found = _ADDRESS.fullmatch(address)
    if found is None or "=?" in address or not is_domain(found[2].lower()):
        raise Unclear("its From is not one plain address")
    if len(shown) != 1 or shown[0].address.lower() != address.lower():
        raise Unclear("its From can be read in more than one way")
    return found[2].lower()


def _without_remark(field: str) -> str:
    """Old mailers write the name behind the address, in brackets."""
    return re.sub(r"[ \t]+\([^()\"\\<>@]*\)[ \t]*\Z", "", field)


def _address(field: str) -> str:
    named = _NAMED.fullmatch(field)
    if named is None:
        return field.strip(" \t")
    name = re.sub(r'"(?:[^"\\]|\\.)*+"', "", named[1])
    # A second address in the name, not in quotes: some take the first for the sender, some the last.
    if "@" in name and name.strip(" \t").lower() != named[2].lower():
        raise Unclear("its From holds more than one address")
    return named[2]
