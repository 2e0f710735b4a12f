"""Where a webhook may go: its address as it stands in the file, and which network addresses are anybody's."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainValidator

from watcher.config.passwords import parse_secret
from watcher.config.secret import SecretSource
from watcher.config.shape import has_control

__all__ = ["SigningSecret", "WebhookUrl", "check_reach", "is_public"]

#: RFC 6052: an address of this network is an IPv4 one, reached through a translator.
_NAT64 = IPv6Network("64:ff9b::/96")

#: What is given out to the Internet (RFC 4291 2.4); all else is local, or for other uses than hosts.
_GLOBAL = IPv6Network("2000::/3")

#: Within what is global, but no host of the Internet: special registries of IANA, some newer than this Python may be;
#: Teredo and 6to4 (2001::/23, 2002::/16), which would carry a private IPv4 address.
_SPECIAL = tuple(ip_network(text) for text in ("192.0.0.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def is_public(address: str) -> bool:
    """Whether anybody on the Internet may have this IP address; not so a private, local, special or invented one."""
    found: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in _NAT64:
            found = IPv4Address(int(found) & 0xFFFFFFFF)
        elif found not in _GLOBAL:
            return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _SPECIAL)


def check_reach(url: str) -> None:
    """Raises ValueError unless `url` can stand without `allow_private`; a name is looked up later, at each run."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise ValueError("url is not https, so anyone on the way reads the mail; allow_private = true permits that")
    try:
        public = is_public(parts.hostname or "")
    except ValueError:
        return  # a name
    if not public:
        raise ValueError(
            f"url leads to {parts.hostname}, which is not a public address; allow_private = true permits it"
        )


def _url(value: str) -> str:
    allowed = 'allowed is "https://HOST/PATH"'
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not the address of a webhook; {allowed}") from error
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or not all(host.removesuffix(".").split(".")) or port == 0:
        raise ValueError(f"is not the address of a webhook; {allowed}")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError(f"holds a user or a fragment (#), which is never sent; {allowed}")
    if has_control(value) or " " in value or not value.isascii():
        raise ValueError(f"holds a blank or a character that no URL can; write it as %20 and the like; {allowed}")
    return value


#: Of a webhook; shown in messages, so a secret in it is no secret.
WebhookUrl = Annotated[str, AfterValidator(_url)]
SigningSecret = Annotated[SecretSource, PlainValidator(lambda value, info: parse_secret(value, info, "signing secret"))]
