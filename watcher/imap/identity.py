"""Our own certificate, for servers that know their clients by one (EXTERNAL, RFC 4422 appendix A)."""

import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from watcher.errors import SecretUnavailable

__all__ = ["Identity", "present"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Where our certificate lies."""

    certificate: Path  #: PEM, its chain included
    key: Path | None = None  #: PEM, without a password; in the file of the certificate if None


def present(trust: ssl.SSLContext, identity: Identity) -> None:
    """Makes `trust`, a context of this account alone, show the certificate to servers that ask for one.

    Raises SecretUnavailable.
    """
    key = identity.key or identity.certificate
    locked = False

    def password() -> str:
        # Without an answer of ours OpenSSL would ask on the terminal, and wait.
        nonlocal locked
        locked = True
        return ""

    try:
        if stat.S_IMODE(key.stat().st_mode) & 0o077:
            raise SecretUnavailable(f"others may use the key {key}: chmod 600 it")
        trust.load_cert_chain(identity.certificate, identity.key, password)
    except ssl.SSLError as error:
        if locked:
            why = "it has a password: take that off, and keep the file to this user"
        elif error.reason == "KEY_VALUES_MISMATCH":
            why = "it belongs to another certificate"
        else:
            why = "one of them is no PEM file of that kind"
        raise SecretUnavailable(f"the key {key} can't be used with {identity.certificate}: {why}") from error
    except OSError as error:
        raise SecretUnavailable(f"{error.filename or identity.certificate} can't be read: {error.strerror}") from error
