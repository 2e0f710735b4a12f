"""All profiles, and the one for an address as far as names alone tell. Nothing here asks the network."""

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

from pydantic import TypeAdapter

from watcher.config.providers.causes import Cause
from watcher.config.providers.profile import Found, Profile, Refusal

__all__ = ["generic", "hint", "hosted_by", "profile_at", "profile_for", "profiles", "refusals"]

#: The profile of all others: its hints stand in for those a provider has not, its words are looked for last.
GENERIC = "generic"

#: Servers on this machine that providers have us run (Proton Mail Bridge).
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})

_PROFILE = TypeAdapter(Profile)


def read(file: Traversable) -> Iterator[Profile]:
    """The profiles of one file: what stands in it, once for each `[[site]]`. Raises ValueError if it is not right."""
    provider = tomllib.loads(file.read_text(encoding="utf-8"))
    for site in provider.pop("site"):
        yield _PROFILE.validate_python({"name": file.name.removesuffix(".toml"), **provider, **site})


@cache
def profiles() -> tuple[Profile, ...]:
    """All profiles, in the order of their names; the generic one last."""
    files = (resources.files(__package__) / "profiles").iterdir()
    found = (profile for file in files if file.name.endswith(".toml") for profile in read(file))
    return tuple(sorted(found, key=lambda profile: (profile.name == GENERIC, profile.name)))


def generic(domain: str = "{domain}") -> Profile:
    """What to assume of a server nobody knows."""
    return dataclasses.replace(profiles()[-1].at(domain), found=Found.GUESS)


def profile_for(address: str, host: str = "", port: int = 0) -> Profile:
    """The profile for `address`, or, if its server is given, the one for that server. `port`: 0 if it is not given."""
    return _profile_for(_bare(address.rpartition("@")[2]), host, port)


@lru_cache(maxsize=1024)  # thousands of accounts have the same
def _profile_for(domain: str, host: str, port: int) -> Profile:
    own = next((profile for profile in profiles() if domain in profile.domains), None)
    if not host:
        return own or generic(domain)
    if own and own.imap.host == _bare(host):
        return dataclasses.replace(own, found=Found.HOST)
    return profile_at(host, port) or generic(domain)


def profile_at(host: str, port: int = 0) -> Profile | None:
    """The profile whose IMAP server is `host`; None if no provider's is. On this machine the port must fit as well."""
    for profile in profiles():
        server = profile.imap
        if server.host == _bare(host) and (server.host not in _HERE or server.port == port):
            return dataclasses.replace(profile, found=Found.HOST)
    return None


def hosted_by(exchangers: Iterable[str]) -> Profile | None:
    """The profile of the first of these mail exchangers that belongs to a known provider."""
    for exchanger in map(_bare, exchangers):
        fitting = [
            (len(domain), profile)
            for profile in profiles()
            for domain in profile.mx
            if f".{exchanger}".endswith(f".{domain}")
        ]
        if fitting:  # AOL's lie within Yahoo's: the narrower domain tells more
            _, profile = max(fitting, key=lambda fit: fit[0])
            return dataclasses.replace(profile, found=Found.MX)
    return None


@cache
def refusals(first: str = GENERIC) -> tuple[Refusal, ...]:
    """All words by which refusals are known: those of the provider named `first`, of all others, and the general ones.

    A server may speak another provider's words: it may be hosted there without our knowing.
    """
    ordered = sorted(profiles()[:-1], key=lambda profile: profile.name != first)
    known = (refusal for profile in (*ordered, profiles()[-1]) for refusal in profile.refusals)
    return tuple(dict.fromkeys(known))


def hint(profile: Profile, cause: Cause) -> str:
    """What to tell a person about `cause` at this provider."""
    return profile.hints.get(cause) or profiles()[-1].hints[cause]


def _bare(name: str) -> str:
    return name.rstrip(".").casefold()
