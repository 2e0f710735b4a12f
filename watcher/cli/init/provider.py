"""Whose mailbox an address is, and what is to be told of that before a password is asked for."""

from collections.abc import Iterator

from watcher.config.accounts import Account
from watcher.config.providers import Found, Login, Profile, discover, profile_for
from watcher.config.providers.catalogue import GENERIC
from watcher.config.providers.resolver import DnsResolver
from watcher.errors import NamesUnavailable

__all__ = ["find_profile", "first_steps", "password_word"]

_FOUND = {
    Found.DOMAIN: "known by its domain",
    Found.HOST: "known by the name of its server",
    Found.MX: "it takes in the mail of this domain (MX)",
    Found.SRV: "named by the domain (SRV)",
    Found.GUESS: "a guess",
}


def find_profile(address: str, host: str, port: int, seconds: float) -> Profile:
    """The profile for `address`: by its server if that is given, else by domain, MX or SRV, or a guess."""
    if host:
        return profile_for(address, host, port)
    try:
        return discover(address, DnsResolver(seconds))
    except NamesUnavailable:
        return profile_for(address)


def first_steps(profile: Profile, account: Account, *, given: bool) -> Iterator[str]:
    """What a person is told first, line by line. `account`: as it would be set up; `given`: a person named the host."""
    title = "The server" if profile.name == GENERIC else profile.title
    yield f"{title}: {account.host}:{account.port} ({'as given' if given else _FOUND[profile.found]})"
    if profile.name != GENERIC:
        yield "First, if it is not done yet:"
        yield from (f"  {number}. {step}" for number, step in enumerate(profile.steps, 1))
        if profile.where:
            yield f"  Where: {profile.where}"


def password_word(profile: Profile) -> str:
    """What the provider calls what is to be typed."""
    match next((login for login in profile.logins if login is not Login.OAUTH), Login.PASSWORD):
        case Login.CODE:
            return "authorization code (授权码)"
        case Login.APP_PASSWORD:
            return "app password"
        case _:
            return "password"
