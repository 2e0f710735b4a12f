"""All profiles, and the one for an address as far as names alone tell. Nothing here asks the network."""

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from pydantic import TypeAdapter

from watcher.config.providers.causes import Cause
from watcher.config.providers.profile import Found, Profile, Refusal

__all__ = ["generic", "hint", "hosted_by", "profile_at", "profile_for", "profiles", "refusals"]

#: The profile of all others: its hints stand in for those a provider has not, its words are looked for last.
GENERIC = "generic"

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


def profile_for(address: str, host: str = "") -> Profile:
    """The profile for `address`, or, if the name of its server is given, the one for that server."""
    domain = _bare(address.rpartition("@")[2])
    if host:
        return profile_at(host) or generic(domain)
    return next((profile for profile in profiles() if domain in profile.domains), None) or generic(domain)


def profile_at(host: str) -> Profile | None:
    """The profile whose IMAP server is `host`; None if no provider's is."""
    for profile in profiles():
        if profile.imap.host == _bare(host):
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
