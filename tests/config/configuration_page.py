"""
Makes the tables of keys in `docs/configuration.md` from the configuration model, so that code and page are one:

    python -m tests.config.configuration_page

What a key means stands in its `#:` lines. Its default and what is allowed follow from the model; where they don't, a
`#:` line that begins with `Default:` or `Allowed:` tells. The text between the tables is written by hand.
"""

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from watcher.config.accounts import Account
from watcher.config.alerts import AlertSettings
from watcher.config.handlers import HandlerSettings
from watcher.config.oauth.client import OAuthClient
from watcher.config.problems import key_of
from watcher.config.rules import Condition, Rule
from watcher.config.settings import WatcherSettings
from watcher.config.shape import NAME_KEY
from watcher.config.smtp import SmtpSettings

__all__ = ["HEAD", "PAGE", "SECTIONS", "page"]

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
HEAD = "| Key | Default | Allowed | Meaning |\n|---|---|---|---|\n"

#: Heading -> what stands in the table below it.
SECTIONS: Mapping[str, type] = {
    "## `[account.NAME]`": Account,
    "## `[oauth.NAME]`": OAuthClient,
    "## `[[rule]]`": Rule,
    "### Conditions": Condition,
    "## `[handler.NAME]`": HandlerSettings,
    "## `[smtp.NAME]`": SmtpSettings,
    "## `[alerts]`": AlertSettings,
    "## `[watcher]`": WatcherSettings,
}

#: What a value of a kind may be, by the name that the model has for it.
KINDS: Mapping[str, str] = {
    "Text": "one line of text",
    "MailAddress": "a mail address",
    "Host": "a host name or IP address",
    "Port": "1 to 65535",
    "Count": "1 to 1000",
    "Duration": "a duration",
    "Size": "a size",
    "FilePath": "a path",
    "Password": "see [Passwords](#passwords)",
    "Token": "see [Passwords](#passwords)",
    "ProxySetting": "see [Proxies](#proxies)",
    "HostPatterns": "a name, or a list",
    "Patterns": "patterns",
    "Actions": "a list of [actions](#actions)",
    "Annotated[bool, Strict()]": "`true`, `false`",
    "tuple[FilePath, ...]": "a list of paths",
    "tuple[Text, ...]": "a list of texts",
    "tuple[MailAddress, ...]": "a list of addresses",
}

UNITS: Mapping[str, tuple[tuple[int, str], ...]] = {
    "Duration": ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")),
    "Size": ((1 << 30, "G"), (1 << 20, "M"), (1, "")),
}
FIELD = re.compile(
    r"(?P<told>(?:^    #: .*\n)*)^    (?P<name>\w+): (?P<kind>.*?)(?: = .*?)?(?:  #: (?P<beside>.*))?$", re.MULTILINE
)


def page(text: str) -> str:
    """The page with its tables as they should be."""
    for heading, shape in SECTIONS.items():
        before, after = text.split(f"\n{heading}\n", 1)
        prose, rest = after.split(HEAD, 1)
        _, _, below = rest.partition("\n\n")
        table = "".join(f"| {' | '.join(row)} |\n" for row in rows(shape))
        text = f"{before}\n{heading}\n{prose}{HEAD}{table}\n{below}"
    return text


def rows(shape: type) -> Iterator[tuple[str, str, str, str]]:
    """Key, default, allowed and meaning of each field that stands in the file."""
    found = {each["name"]: each for each in FIELD.finditer(inspect.getsource(shape))}
    for field in dataclasses.fields(shape):
        if (key := key_of(field)) != NAME_KEY:
            source = found[field.name]
            told = dict(paragraphs(source["told"]))
            kind = source["kind"].removesuffix(" | None")
            default = told.get("Default") or (shown(field, kind) if shape is not Condition else "any")
            yield f"`{key}`", default, told.get("Allowed") or allowed(field, kind), told["Meaning"]


def paragraphs(lines: str) -> Iterator[tuple[str, str]]:
    """The `#:` lines of a field: name of the column, and what stands in it."""
    text = " ".join(line.strip().removeprefix("#:").strip() for line in lines.splitlines())
    meaning, *others = re.split(r" (?=(?:Default|Allowed): )", text)
    yield "Meaning", meaning
    for other in others:
        column, _, words = other.partition(": ")
        yield column, words.removesuffix(".")


def allowed(field: "dataclasses.Field[Any]", kind: str) -> str:
    choices = literal(field.type)
    return ", ".join(f'`"{choice}"`' for choice in choices) if choices else KINDS[kind]


def literal(kind: Any) -> tuple[str, ...]:
    """The words of a Literal, however it is wrapped."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for inner in get_args(kind) if (found := literal(inner))), ())


def shown(field: "dataclasses.Field[Any]", kind: str) -> str:
    """The default as one would write it."""
    value = field.default.default if isinstance(field.default, FieldInfo) else field.default
    if value is dataclasses.MISSING:
        return "needed"
    if isinstance(field.default, FieldInfo) and field.default.default_factory is dict:
        return "`{}`"
    if not value and not isinstance(value, bool | tuple):
        return "none"
    if kind in UNITS:
        value = next(f"{value / size:.0f}{unit}" for size, unit in UNITS[kind] if value % size == 0)
    return f"`{json.dumps(value, default=str)}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
