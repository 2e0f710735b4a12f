"""Logins as SMTP has them (RFC 4954): those of IMAP, and LOGIN by steps."""

import base64
import binascii

from watcher.imap.sasl import Credential, Exchange, exchange

__all__ = ["decoded", "login_by"]


def login_by(name: str, credential: Credential) -> Exchange:
    """One login by the mechanism `name`."""
    return LoginSteps(credential) if name == "LOGIN" else exchange(name, credential)


class LoginSteps(Exchange):
    """User, then password, each when asked for: older than any standard, and all that some relays take."""

    def __init__(self, credential: Credential) -> None:
        self._answers = iter((credential.user.encode(), credential.secret.reveal().encode()))

    def answer(self, challenge: bytes) -> bytes:  # noqa: ARG002 "Username:", in whatever language
        return next(self._answers, b"*")


def decoded(challenge: str) -> bytes:
    try:
        return base64.b64decode(challenge)
    except (binascii.Error, ValueError):
        return challenge.encode()
