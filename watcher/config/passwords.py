"""How a secret stands in the file: itself, or the place to fetch it from. No message holds its value."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from watcher.config.secret import (
    CommandSource,
    CredentialSource,
    EnvironmentSource,
    FileSource,
    KeyringSource,
    PlainSource,
    Secret,
    SecretSource,
)
from watcher.config.shape import alternatives, has_control, resolve

__all__ = ["Channel", "ClientSecret", "Password", "Token", "parse_secret"]

_ALLOWED = 'allowed is "the {}" or one of {{ command = "…" }}, {{ file }}, {{ env }}, {{ credential }}, {{ keyring }}'

#: Where a secret may be fetched from, and what is written there.
_PLACES: Mapping[str, str] = {
    "command": 'allowed is "pass show x" or ["pass", "show", "x"]',
    "file": "allowed is a path",
    "env": "allowed is the name of an environment variable",
    "credential": "allowed is the name of a systemd credential, without '/'",
    "keyring": "allowed is the name of a service in the keyring",
}


def parse_secret(value: object, info: ValidationInfo, what: str) -> SecretSource:
    """The source meant by "…" or { command = … } and its like; `what` it is, for messages. Raises ValueError."""
    allowed = _ALLOWED.format(what)
    match value:
        case SecretSource():
            return value
        case str():
            if not value or has_control(value):
                raise ValueError(f"is empty or holds a control character; {allowed}")
            return PlainSource(Secret(value))
        case dict() if len(value) == 1:
            [(kind, where)] = value.items()
            return _source(kind, where, info, what)
    raise ValueError(f"must be text or a table with one key; {allowed}")


def _source(kind: str, where: object, info: ValidationInfo, what: str) -> SecretSource:
    if kind not in _PLACES:
        raise ValueError(f"{kind!r} is not a source of a {what}; {alternatives(kind, _PLACES)}")
    if kind == "command":
        return CommandSource(_argv(where), what)
    if not isinstance(where, str) or not where or has_control(where):
        raise ValueError(f"{kind} is not text; {_PLACES[kind]}")
    match kind:
        case "file":
            return FileSource(resolve(Path(where), info), what)
        case "env" if "=" not in where:
            return EnvironmentSource(where, what)
        case "credential" if "/" not in where and not where.startswith("."):
            return CredentialSource(where, what)
        case "keyring":
            return KeyringSource(where)
    raise ValueError(f"{kind} names nothing that can be; {_PLACES[kind]}")


def _argv(command: object) -> tuple[str, ...]:
    if isinstance(command, str):
        try:
            command = shlex.split(command)
        except ValueError as error:
            raise ValueError(f"command has a quote that is never closed; {_PLACES['command']}") from error
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise ValueError(f"command is neither text nor a list of texts; {_PLACES['command']}")
    if not command[0] or any(has_control(word) for word in command):
        raise ValueError(f"command is empty or holds a control character; {_PLACES['command']}")
    return tuple(command)


def _parser(what: str) -> PlainValidator:
    return PlainValidator(lambda value, info: parse_secret(value, info, what))


Password = Annotated[SecretSource, _parser("password")]
Token = Annotated[SecretSource, _parser("token")]
ClientSecret = Annotated[SecretSource, _parser("client secret")]
Channel = Annotated[SecretSource, _parser("channel")]
