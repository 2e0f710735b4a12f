"""A profile: what is known of a mail provider before it has been asked."""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from watcher.config.providers.causes import Cause
from watcher.config.shape import STRICT, Count, Host, Port, Text
from watcher.config.units import Duration

__all__ = ["Found", "Login", "Profile", "Quirk", "Refusal", "Server"]


class Login(StrEnum):
    """What a provider takes as proof of who we are."""

    PASSWORD = "password"  # noqa: S105 a word  #: the one that the user logs in with on the web
    APP_PASSWORD = "app-password"  # noqa: S105 a word  #: made for one program, in the provider's web pages
    CODE = "code"  #: the same, called authorization code (授权码)
    OAUTH = "oauth"  #: an access token


class Quirk(StrEnum):
    """Where a server departs from the standard. What it says itself counts more."""

    ID_FIRST = "id-first"  #: opens no folder for a client that has not introduced itself (ID, RFC 2971)
    NO_IDLE = "no-idle"  #: is likely to offer no IDLE: mails are found by asking
    NO_UIDNEXT = "no-uidnext"  #: does not tell UIDNEXT


class Found(StrEnum):
    """How a profile came to an address. Plain DNS can lie: show the host before a password goes there (RFC 6186 6)."""

    DOMAIN = "domain"  #: the domain of the address is the provider's own
    HOST = "host"  #: the server's name is the provider's own
    MX = "mx"  #: the provider takes in the mail of the domain; the host is a known one
    SRV = "srv"  #: the domain names this host (RFC 6186, 8314)
    GUESS = "guess"  #: nothing is known


@dataclass(frozen=True, slots=True, config=STRICT)
class Server:
    """Where a service listens."""

    host: Host  #: "{domain}" stands for the domain of the address
    port: Port = 993
    tls: Literal["implicit", "starttls"] = "implicit"


@dataclass(frozen=True, slots=True, config=STRICT)
class Refusal:
    """Words by which a refusal is known."""

    says: Annotated[Text, AfterValidator(str.casefold)]  #: part of what the server says; case does not matter
    cause: Cause
    wait: Duration | None = None  #: seconds that are known to be needed


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Profile:
    """One provider, as seen from one kind of address. Made from the files in `profiles/`."""

    name: Text  #: of its file
    title: Text  #: as people call it
    domains: tuple[Text, ...] = ()  #: of addresses that it gives out
    mx: tuple[Text, ...] = ()  #: domains in which its mail exchangers lie, for domains that are hosted there
    imap: Server
    smtp: Server
    user: Literal["address", "local"] = "address"  #: to log in with: the whole address, or what stands before the "@"
    logins: tuple[Login, ...]  #: the best one first
    oauth: str = ""  #: who gives out access tokens, "" if nobody does
    links: Count  #: connections of one user at once that leave room for the user's other programs
    scarce: bool = False  #: logins or sessions are so few that none may be spent on a mere check
    renew: Duration = 1440.0  #: longest age of an IDLE that it is known to bear, in seconds; a path may bear less
    quirks: frozenset[Quirk] = frozenset()
    steps: tuple[Text, ...]  #: what a person does first, one sentence or two each
    where: str = ""  #: page on which an app password or authorization code is made
    hints: Annotated[Mapping[Cause, Text], AfterValidator(MappingProxyType)] = Field(default_factory=dict)  #: cures
    refusals: tuple[Refusal, ...] = ()  #: words of this provider
    found: Found = Found.DOMAIN

    def user_of(self, address: str) -> str:
        """The name to log in with for `address`."""
        return address if self.user == "address" else address.rpartition("@")[0]

    def at(self, domain: str) -> "Profile":
        """The same for addresses of `domain`."""
        imap, smtp = (
            dataclasses.replace(server, host=server.host.replace("{domain}", domain))
            for server in (self.imap, self.smtp)
        )
        return dataclasses.replace(self, imap=imap, smtp=smtp)
