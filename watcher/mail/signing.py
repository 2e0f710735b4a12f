"""DKIM signatures for our own mail (RFC 6376), where a relay makes none for our domain."""

import base64
from pathlib import Path

import dkim
from dkim.crypto import UnparsableKeyError, parse_pem_private_key, parse_public_key

from watcher.config.smtp import DkimSettings
from watcher.errors import SecretUnavailable

__all__ = ["belongs", "signature"]

#: What a forger would like to change. A field that is not there is signed as such, so that none can be added.
SIGNED = (
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "auto-submitted",
)


def signature(mail: bytes, sender: str, settings: DkimSettings) -> bytes:
    """The field that goes before `mail`, with its line end. Raises SecretUnavailable if the key can't be used."""
    domain = settings.domain or sender.rpartition("@")[2]
    try:
        field = dkim.sign(
            mail,
            settings.selector.encode(),
            domain.encode("idna"),
            settings.key.read_bytes(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name.encode() for name in SIGNED],
        )
    except OSError as error:
        raise SecretUnavailable(f"the DKIM key {settings.key} can't be read: {error.strerror}") from error
    except (dkim.DKIMException, ValueError, TypeError) as error:
        raise SecretUnavailable(f"the DKIM key {settings.key} can't be used: is it an RSA key in PEM?") from error
    return bytes(field)


def belongs(record: str, key: Path) -> bool:
    """
    Whether the public key that a DNS record holds (RFC 6376 3.6.1) is that of our private one.

    Raises SecretUnavailable if ours can't be used.
    """
    tags = dict(tag.strip().partition("=")[::2] for tag in record.split(";"))
    try:
        ours = parse_pem_private_key(key.read_bytes())
    except OSError as error:
        raise SecretUnavailable(f"the DKIM key {key} can't be read: {error.strerror}") from error
    except (UnparsableKeyError, ValueError, TypeError) as error:
        raise SecretUnavailable(f"the DKIM key {key} can't be used: is it an RSA key in PEM?") from error
    try:
        shown = parse_public_key(base64.b64decode("".join(tags.get("p", "").split())))
    except (UnparsableKeyError, ValueError, TypeError, IndexError):
        return False
    return bool(shown["modulus"] == ours["modulus"])
