"""The way to a server through a proxy, as it stands in the file or in the environment."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import PlainValidator, ValidationInfo

from watcher.config.passwords import parse_secret
from watcher.config.secret import KeyringSource, PlainSource, Secret, SecretSource
from watcher.config.shape import alternatives, has_control

__all__ = ["EnvironmentProxy", "Proxy", "ProxySetting", "holds_password"]

_ALLOWED = (
    'allowed are "socks5://HOST:PORT", "http://HOST:PORT", both with USER:PASSWORD@ before HOST, '
    '"environment", or { url = "…", password = … }'
)

_SCHEMES: Mapping[str, Literal["socks5", "http"]] = {"socks5": "socks5", "socks5h": "socks5", "http": "http"}


@dataclasses.dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that connects us to any host; it looks up the name."""

    scheme: Literal["socks5", "http"]  #: SOCKS5 (RFC 1928), or CONNECT (RFC 9110 9.3.6)
    host: str
    port: int
    user: str = ""  #: "" if it asks for none
    password: SecretSource | None = None  #: of that user

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def towards(self, _host: str) -> "Proxy":
        """The proxy to use for `host`: this one."""
        return self


@dataclasses.dataclass(frozen=True, slots=True)
class EnvironmentProxy:
    """What ALL_PROXY, else HTTPS_PROXY says, but not to hosts that NO_PROXY names; small letters do as well."""

    def towards(self, host: str) -> Proxy | None:
        """The proxy to use for `host`; None if there is none. Raises ValueError if what is said is not a proxy."""
        said = getproxies()
        url = said.get("all") or said.get("https")
        if not url or proxy_bypass(host):
            return None
        try:
            return _proxy(url if "://" in url else f"http://{url}")
        except ValueError as error:
            raise ValueError(f"ALL_PROXY or HTTPS_PROXY in the environment {error}") from None


def holds_password(url: object) -> bool:
    """Whether a password stands in this address."""
    return isinstance(url, str) and re.search(r"://[^/@]*:[^/]+@", url) is not None


def _parse(value: object, info: ValidationInfo) -> Proxy | EnvironmentProxy:
    """The proxy meant by an address, a table or "environment". Raises ValueError."""
    match value:
        case Proxy() | EnvironmentProxy():
            return value
        case "environment":
            return EnvironmentProxy()
        case str():
            return _proxy(value)
        case {"url": str() as url, **rest}:
            for key in rest.keys() - {"password"}:
                raise ValueError(f"has an unknown key {key!a}; {alternatives(str(key), ['url', 'password'])}")
            proxy = _proxy(url)
            return _with_password(proxy, parse_secret(rest["password"], info, "password")) if rest else proxy
    raise ValueError(f"is not a proxy; {_ALLOWED}")


def _with_password(proxy: Proxy, password: SecretSource) -> Proxy:
    if not proxy.user:
        raise ValueError('has a password and no user; write it as url = "socks5://USER@HOST:PORT"')
    if isinstance(password, KeyringSource):
        password = dataclasses.replace(password, user=proxy.user)
    return dataclasses.replace(proxy, password=password)


def _proxy(url: str) -> Proxy:
    """The proxy at this address. Raises ValueError; nothing of the address is told, as it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"is not a proxy; {_ALLOWED}") from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme not in _SCHEMES or not parts.hostname or not port or parts.path.strip("/") or parts.query:
        raise ValueError(f"is not a proxy; {_ALLOWED}")
    if has_control(url + user + password):
        raise ValueError("holds a control character")
    if password and not user:
        raise ValueError(f"has a password and no user; {_ALLOWED}")
    return Proxy(
        _SCHEMES[parts.scheme], parts.hostname, port, user, PlainSource(Secret(password)) if password else None
    )


ProxySetting = Annotated[Proxy | EnvironmentProxy, PlainValidator(_parse)]
