"""What all tables of the file have in common, and the kinds of text that stand in them."""

import difflib
import re
from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, Strict, ValidationInfo

__all__ = [
    "NAME_KEY",
    "STRICT",
    "Count",
    "FilePath",
    "Folder",
    "Host",
    "MailAddress",
    "Name",
    "Port",
    "Text",
    "alternatives",
    "has_control",
    "is_here",
    "listed",
    "not_empty",
    "resolve",
]

#: Unknown keys are errors. Code builds with the names of the fields, the file is read with their aliases.
STRICT = ConfigDict(extra="forbid", validate_by_name=True)

#: Under this key a table is told the name it stands under; no bare TOML key can be the same.
NAME_KEY = "(name)"

#: C0, DEL and C1. CR, LF and NUL would end an IMAP command and start another; the others garble logs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


_Several = TypeVar("_Several", bound=Collection[object])


def has_control(text: str) -> bool:
    """Whether `text` holds a character that ends a line or steers a terminal."""
    return bool(_CONTROL.search(text))


def alternatives(word: str, known: Collection[str]) -> str:
    """What to write in place of `word`: the likeliest of `known`, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"


def not_empty(values: _Several) -> _Several:
    """`values` as they are. Raises ValueError if there are none."""
    if not values:
        raise ValueError("is empty; name at least one, or leave the key out")
    return values


def listed(value: object) -> object:
    """One thing stands for a list of it."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def is_here(host: str) -> bool:
    """Whether a host, by name or address, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _text(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    if has_control(value):
        raise ValueError("holds a control character; allowed is one line of text")
    return value


def _name(value: str) -> str:
    if _text(value).startswith(".") or "/" in value or len(value) > 100:
        raise ValueError("is not a usable name; allowed are up to 100 characters without '/' that don't start with '.'")
    return value


def _address(value: str) -> str:
    local, _, domain = _text(value).rpartition("@")
    if not local or not domain or re.search(r"\s", value):
        raise ValueError('is not a mail address; write it like "support@example.com"')
    return value


def _host(value: str) -> str:
    if re.search(r"[\s/@]", _text(value)):
        raise ValueError('is not a host name; write it like "imap.example.com", the port goes into `port`')
    return value


def resolve(value: Path, info: ValidationInfo) -> Path:
    """`value` with "~" replaced, and seen from the directory of the configuration file. Raises ValueError."""
    base: Path = info.context or Path()
    if has_control(str(value)):
        raise ValueError("holds a control character")
    try:
        return base / value.expanduser()
    except RuntimeError as error:
        raise ValueError("names the home directory of an unknown user; write the whole path") from error


#: One line of any text. Free of CR, LF and NUL, so it may go to a server.
Text = Annotated[str, AfterValidator(_text)]
#: Of an account or a handler: it becomes part of file names, variables and log lines.
Name = Annotated[str, AfterValidator(_name)]
MailAddress = Annotated[str, AfterValidator(_address)]
Host = Annotated[str, AfterValidator(_host)]
#: Of a mailbox on the server, in plain Unicode; its modified UTF-7 is the IMAP room's affair.
Folder = Text
#: Relative paths start at the directory of the configuration file, which is the validation context; "~" is known.
FilePath = Annotated[Path, AfterValidator(resolve)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Count = Annotated[int, Strict(), Field(ge=1, le=1000)]
