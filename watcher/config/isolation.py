"""How far a handler is kept from the rest of the machine, as it stands in the file."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, PlainValidator, ValidationInfo

from watcher.config.passwords import parse_secret
from watcher.config.secret import PlainSource, SecretSource

__all__ = ["Digest", "HandlerSecrets", "Isolation"]

#: "none": as the user of the daemon. "sandbox": that, but it sees next to nothing. "user": as a user of its own.
Isolation = Literal["none", "sandbox", "user"]


def _secret(value: object, info: ValidationInfo) -> SecretSource:
    source = parse_secret(value, info, "secret")
    if isinstance(source, PlainSource):
        raise ValueError("stands in the file itself; write where it is, such as { file = ... } or { command = ... }")  # noqa: TRY004 - pydantic wants it
    return source


def _names(secrets: dict[str, SecretSource]) -> dict[str, SecretSource]:
    for name in secrets:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
            raise ValueError(f"{name!r} is to be a file name; allowed are letters, digits and '_', then also '.', '-'")
    return secrets


def _digest(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError("is not a SHA-256; write the 64 digits that `sha256sum FILE` prints")
    return value.lower()


#: Name of the file in `$WATCHER_SECRETS` -> where its content is fetched from.
HandlerSecrets = Annotated[Mapping[str, Annotated[SecretSource, PlainValidator(_secret)]], AfterValidator(_names)]
#: SHA-256 of a file, hex in lower case.
Digest = Annotated[str, AfterValidator(_digest)]
