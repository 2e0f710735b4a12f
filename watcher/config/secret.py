"""Secrets, and the places they are fetched from at every login. None ever shows in a message, a log or a repr."""

import fcntl
import hmac
import os
import shlex
import signal
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from weakref import finalize

from watcher.config import keychain
from watcher.config.files import read_regular
from watcher.config.masking import protect, release
from watcher.config.shape import has_control
from watcher.errors import SecretUnavailable

__all__ = [
    "CommandSource",
    "CredentialSource",
    "EnvironmentSource",
    "FileSource",
    "KeyringSource",
    "PlainSource",
    "Secret",
    "SecretSource",
]

#: Bytes read from a file or a command. OAuth2 tokens have some thousand.
_LONGEST = 64 << 10


class Secret:
    """A password or token. Only `reveal` tells it; it can't be formatted, pickled or copied by accident."""

    __slots__ = ("__weakref__", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        protect(text)
        finalize(self, release, text).atexit = False  # when the interpreter ends, modules may be empty

    def reveal(self) -> str:
        """The secret itself: hand it on at once, keep no second name for it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a secret can't be formatted into a text")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret can't be pickled or copied")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))


class SecretSource(ABC):
    """Where a secret is fetched from, each time anew, so that a changed one needs no restart."""

    __slots__ = ()

    @abstractmethod
    def fetch(self) -> Secret:
        """The secret as it is now. Raises SecretUnavailable with one line that doesn't hold it."""

    def reject(self, secret: Secret) -> None:  # noqa: B027 most sources have nothing to do
        """Tells that a server refused `secret`, so it must not be fetched again. What a person keeps, he changes."""


@dataclass(frozen=True, slots=True)
class PlainSource(SecretSource):
    """The secret stands in the configuration file."""

    secret: Secret

    def fetch(self) -> Secret:
        return self.secret


@dataclass(frozen=True, slots=True)
class CommandSource(SecretSource):
    """The first line that a command prints. No shell is involved."""

    argv: tuple[str, ...] = field(repr=False)  #: arguments may hold a token, so only the first is ever told
    what: str = "password"  #: what it prints, for messages
    patience: float = 30.0  #: seconds it may take; a person may have to touch a key

    def fetch(self) -> Secret:
        # A sealed memory file in place of a pipe: a child left behind (gpg-agent) can't keep us waiting for its end,
        # and a command that prints without end gets an error at the seal, not our memory.
        output = os.memfd_create("secret", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(output, _LONGEST)
            fcntl.fcntl(output, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
            self._run(output)
            printed = os.pread(output, _LONGEST, 0).split(b"\0", 1)[0]
        finally:
            os.close(output)
        return _first_line(printed, f"the output of {self.argv[0]}", self.what)

    def _run(self, output: int) -> None:
        name = self.argv[0]
        try:
            process = subprocess.Popen(  # noqa: S603 the configuration names it, and nobody else may write there
                self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise SecretUnavailable(f"{name} can't be started for the {self.what}: {reason}") from error
        try:
            code = process.wait(self.patience)
        except subprocess.TimeoutExpired as error:
            raise SecretUnavailable(f"{name} did not tell the {self.what} within {self.patience:g} s") from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code:
            ended = f"ended with {code}" if code > 0 else f"was killed by signal {-code}"
            raise SecretUnavailable(f"{name} {ended} and told no {self.what}; run it by hand as this user to see why")


@dataclass(frozen=True, slots=True)
class FileSource(SecretSource):
    """The first line of a file that only we may read."""

    path: Path
    what: str = "password"  #: what it holds, for messages

    def fetch(self) -> Secret:
        try:
            content, found = read_regular(self.path, _LONGEST)
        except OSError as error:
            raise SecretUnavailable(f"the {self.what} file {self.path} can't be read: {error.strerror}") from error
        if found.st_mode & 0o077:
            mend = f"chmod 600 {shlex.quote(str(self.path))}"
            raise SecretUnavailable(f"others may use the {self.what} file {self.path}: {mend}")
        return _first_line(content, f"the {self.what} file {self.path}", self.what)


@dataclass(frozen=True, slots=True)
class EnvironmentSource(SecretSource):
    """An environment variable of the daemon."""

    name: str
    what: str = "password"  #: what it holds, for messages

    def fetch(self) -> Secret:
        value = os.environb.get(self.name.encode())
        if value is None:
            raise SecretUnavailable(f"the environment variable {self.name} for the {self.what} is not set")
        return _first_line(value, f"the environment variable {self.name}", self.what)


@dataclass(frozen=True, slots=True)
class CredentialSource(SecretSource):
    """A credential that systemd hands to the unit (LoadCredential=, systemd.exec(5))."""

    name: str
    what: str = "password"  #: what it holds, for messages

    def fetch(self) -> Secret:
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise SecretUnavailable(
                f"there is no credential {self.name}: systemd sets no CREDENTIALS_DIRECTORY here; "
                f"add LoadCredential={self.name}:FILE to the unit"
            )
        try:
            content = (Path(folder) / self.name).read_bytes()
        except OSError as error:
            raise SecretUnavailable(
                f"the credential {self.name} can't be read: {error.strerror}; is there a LoadCredential= for it?"
            ) from error
        return _first_line(content, f"the credential {self.name}", self.what)


@dataclass(frozen=True, slots=True)
class KeyringSource(SecretSource):
    """The keyring of the desktop, by service and user."""

    service: str
    user: str = ""  #: the account puts its own here

    def fetch(self) -> Secret:
        return Secret(keychain.password(self.service, self.user))


def _first_line(content: bytes, place: str, what: str) -> Secret:
    line = content.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"{place} is not UTF-8") from None  # the cause holds the secret
    if not text:
        raise SecretUnavailable(f"{place} starts with an empty line where the {what} should be")
    if has_control(text):
        raise SecretUnavailable(f"{place} holds a control character in its first line, so it is no {what}")
    return Secret(text)
