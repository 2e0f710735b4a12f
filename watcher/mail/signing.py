"""DKIM signatures for our own mail (RFC 6376), where a relay makes none for our domain."""

import dkim

from watcher.config.smtp import DkimSettings
from watcher.errors import SecretUnavailable

__all__ = ["signature"]

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
