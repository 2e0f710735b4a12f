"""The one place that uses the library `keyring`, which is an extra."""

from watcher.errors import SecretUnavailable

try:
    import keyring
    from keyring.errors import KeyringError
except ImportError:
    keyring = None

__all__ = ["password"]


def password(service: str, user: str) -> str:
    """The password that the keyring holds for `user` at `service`. Raises SecretUnavailable."""
    if keyring is None:
        raise SecretUnavailable(
            "passwords from the keyring need the extra `keyring`: pip install 'imap-watcher[keyring]'"
        )
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise SecretUnavailable(f"the keyring can't be read for {service}: {type(error).__name__}") from error
    if not found:
        raise SecretUnavailable(f"the keyring holds no password of {user} at {service}")
    return str(found)
