"""Those who give out tokens, as data."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from watcher.config.shape import STRICT, Text

__all__ = ["Issuer", "https", "issuers"]


def https(value: str) -> str:
    """`value`, if it can be asked over TLS. Raises ValueError."""
    if not value.startswith("https://") or len(value.split()) != 1 or value == "https://":
        raise ValueError("must begin with https:// and name a host")
    return value


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Issuer:
    """An authorization server (RFC 6749)."""

    auth_uri: Annotated[Text, AfterValidator(https)]  #: page on which the user consents
    token_uri: Annotated[Text, AfterValidator(https)]  #: where tokens come from
    device_uri: Annotated[Text, AfterValidator(https)]  #: where device codes come from (RFC 8628)
    scope: Text  #: what must be consented to, for IMAP and SMTP
    extras: Mapping[str, str] = Field(default_factory=dict)  #: further parameters of the page
    redirect_host: Text = "127.0.0.1"  #: how it knows this machine in a redirect
    register: Text  #: how one gets a client id
    hints: Mapping[str, Text] = Field(default_factory=dict)  #: cures by error code


@cache
def issuers() -> Mapping[str, Issuer]:
    """All of them, by the name they have in the configuration."""
    text = (resources.files(__package__) / "issuers.toml").read_text(encoding="utf-8")
    return TypeAdapter(Mapping[str, Issuer]).validate_python(tomllib.loads(text))
