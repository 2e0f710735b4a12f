"""
Proving who we are, step by step (SASL, RFC 4422): bytes from the server in, bytes for it out. No wire here.

The only place that knows scramp.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import scramp

from watcher.config.providers.profile import Login, Profile
from watcher.config.secret import Secret
from watcher.errors import ServerUntrusted
from watcher.printing import printable

__all__ = ["MECHANISMS", "Credential", "Exchange", "Proof", "exchange", "mechanisms"]

#: Rounds of hashing that a server may ask for; more would only keep this machine busy. RFC 7677 asks for 4096 or more.
MOST_ROUNDS = 1_000_000


class Proof(StrEnum):
    """What the secret is."""

    PASSWORD = "password"  # noqa: S105 a word  #: also one made for programs
    TOKEN = "token"  # noqa: S105 a word  #: an OAuth2 access token
    CERTIFICATE = "certificate"  #: none: TLS has shown our certificate


@dataclass(frozen=True, slots=True)
class Credential:
    """Who we are, and the proof of it. Neither holds control characters."""

    user: str
    secret: Secret
    proof: Proof = Proof.PASSWORD
    way: str = ""  #: the mechanism that this user got in by before: no other is tried where it is offered


class Exchange(ABC):
    """One login under way. `answer` is called with each challenge of the server, first with an empty one."""

    #: What the server said of the refusal to come (RFC 7628 3.2.2, RFC 5802 7), printable; "" if nothing.
    complaint = ""

    @abstractmethod
    def answer(self, challenge: bytes) -> bytes:
        """The next message to the server; the first one may also go along with the command (SASL-IR, RFC 4959)."""

    def accepted(self) -> None:  # noqa: B027 few mechanisms make the server prove anything
        """To be called when the server says OK. Raises ServerUntrusted if it had to prove itself and did not."""


class Plain(Exchange):
    """The password itself, in UTF-8 (RFC 4616)."""

    def __init__(self, credential: Credential) -> None:
        self._message = f"\0{credential.user}\0{credential.secret.reveal()}".encode()

    def answer(self, challenge: bytes) -> bytes:  # noqa: ARG002 there is nothing in it
        return self._message


class External(Exchange):
    """Nothing but the name: who we are was shown in TLS (RFC 4422 appendix A)."""

    def __init__(self, credential: Credential) -> None:
        self._message = credential.user.encode()

    def answer(self, challenge: bytes) -> bytes:  # noqa: ARG002 there is nothing in it
        return self._message


class Bearer(Exchange):
    """An access token. A challenge after it is the server's complaint, and is acknowledged so that it refuses."""

    _acknowledgement: ClassVar[bytes]

    def __init__(self, credential: Credential) -> None:
        self._message: bytes | None = self._spell(credential.user, credential.secret.reveal()).encode()

    def answer(self, challenge: bytes) -> bytes:
        message, self._message = self._message, None
        if message is not None:
            return message
        self.complaint = printable(challenge.strip())
        return self._acknowledgement

    @staticmethod
    @abstractmethod
    def _spell(user: str, token: str) -> str: ...


class XOAuth2(Bearer):
    """As Google and Microsoft do it, before there was a standard."""

    _acknowledgement = b""

    @staticmethod
    def _spell(user: str, token: str) -> str:
        return f"user={user}\1auth=Bearer {token}\1\1"


class OAuthBearer(Bearer):
    """RFC 7628."""

    _acknowledgement = b"\1"

    @staticmethod
    def _spell(user: str, token: str) -> str:
        name = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 4, saslname
        return f"n,a={name},\1auth=Bearer {token}\1\1"


class Scram(Exchange):
    """Both sides show that they know the password and neither tells it (RFC 5802, 7677); without channel binding."""

    def __init__(self, credential: Credential, nonce: str | None = None) -> None:
        """`nonce`: for tests; else a random one. Raises ValueError if the password can't be prepared (RFC 4013)."""
        try:
            self._client = scramp.ScramClient(
                ["SCRAM-SHA-256"], credential.user, credential.secret.reveal(), c_nonce=nonce
            )
        except scramp.ScramException as error:
            raise ValueError(f"SCRAM can't spell this user or password: {error}") from None
        self._steps = iter((self._first, self._prove, self._verify))
        self._proven = False

    def answer(self, challenge: bytes) -> bytes:
        step: Callable[[str], str] | None = next(self._steps, None)
        if step is None:
            raise ServerUntrusted("SCRAM: the server goes on after the end")
        try:
            return step(challenge.decode()).encode()
        except (scramp.ScramException, UnicodeDecodeError) as error:
            raise ServerUntrusted(f"SCRAM: what the server says can't be trusted ({printable(str(error))})") from error

    def accepted(self) -> None:
        if not self._proven:
            raise ServerUntrusted("SCRAM: the server says yes and does not show that it knows the password")

    def _first(self, _challenge: str) -> str:
        return str(self._client.get_client_first())

    def _prove(self, challenge: str) -> str:
        rounds = re.search(r"(?:^|,)i=(\d{1,20})", challenge)
        if rounds and int(rounds[1]) > MOST_ROUNDS:
            raise ServerUntrusted(f"SCRAM: the server asks for {rounds[1]} rounds of hashing")
        self._client.set_server_first(challenge)
        return str(self._client.get_client_final())

    def _verify(self, challenge: str) -> str:
        if challenge.startswith("e="):
            self.complaint = printable(challenge[2:])
        else:
            self._client.set_server_final(challenge)
            self._proven = True
        return ""


#: The mechanisms there are, by the names that servers offer them under.
MECHANISMS: Mapping[str, Callable[[Credential], Exchange]] = {
    "OAUTHBEARER": OAuthBearer,
    "XOAUTH2": XOAuth2,
    "EXTERNAL": External,
    "SCRAM-SHA-256": Scram,
    "PLAIN": Plain,
}

#: What proves what, the best first. LOGIN is a command of its own (RFC 3501 6.2.3) and the last resort.
_ORDER: Mapping[Proof, tuple[str, ...]] = {
    Proof.TOKEN: ("OAUTHBEARER", "XOAUTH2"),
    Proof.CERTIFICATE: ("EXTERNAL",),
    Proof.PASSWORD: ("SCRAM-SHA-256", "PLAIN", "LOGIN"),
}


def mechanisms(capabilities: Collection[str], profile: Profile, credential: Credential) -> tuple[str, ...]:
    """
    The ways to log in that the server offers (`capabilities`, in upper case) and that can carry this credential, the
    best first. None for a password where the provider takes no passwords, whatever its server offers.
    """
    if credential.proof is Proof.PASSWORD and set(profile.logins) == {Login.OAUTH}:
        return ()
    ways = tuple(
        name for name in _ORDER[credential.proof] if _offered(name, capabilities) and _carries(name, credential)
    )
    return (credential.way,) if credential.way in ways else ways


def exchange(name: str, credential: Credential) -> Exchange:
    """The login by the mechanism `name`, one of `mechanisms` other than LOGIN."""
    return MECHANISMS[name](credential)


def _offered(name: str, capabilities: Collection[str]) -> bool:
    return "LOGINDISABLED" not in capabilities if name == "LOGIN" else f"AUTH={name}" in capabilities


def _carries(name: str, credential: Credential) -> bool:
    """Whether user and secret can be spelt in this way."""
    if name == "LOGIN":
        return (credential.user + credential.secret.reveal()).isascii()
    try:
        exchange(name, credential)
    except ValueError:
        return False
    return True
