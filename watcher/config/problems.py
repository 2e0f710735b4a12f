"""What is wrong with a configuration, said so that it can be mended: file, line, key, what, and what is allowed."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from watcher.config.accounts import Account
from watcher.config.alerts import AlertSettings
from watcher.config.handlers import HandlerSettings
from watcher.config.oauth.client import OAuthClient
from watcher.config.positions import Key, positions
from watcher.config.rules import Condition, Rule
from watcher.config.settings import Document, WatcherSettings
from watcher.config.shape import NAME_KEY, alternatives
from watcher.config.smtp import DkimSettings, SmtpSettings

__all__ = ["Problem", "Source", "key_of", "known_keys", "problems_of"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong or doubtful."""

    key: Key  #: where it is
    text: str  #: what is wrong; what is allowed


@dataclass(frozen=True)
class Source:
    """The text that problems are looked up in."""

    path: Path
    text: str

    @cached_property
    def _positions(self) -> Mapping[Key, int]:
        return positions(self.text)

    def lines(self, problems: Iterable[Problem]) -> list[str]:
        """Each problem as `file:line: key: text`, in the order of the file; those of the whole file come first."""
        placed = sorted(((self._line(problem.key), problem) for problem in problems), key=lambda entry: entry[0])
        return [self._told(line, problem) for line, problem in placed]

    def _told(self, line: int, problem: Problem) -> str:
        if not problem.key:
            return f"{self.path}: {problem.text}"
        return f"{self.path}:{line}: {_shown(self._written(problem.key))}: {problem.text}"

    def _line(self, key: Key) -> int:
        """The line of the key, or of the innermost table around it that is there."""
        for end in range(len(key), 0, -1):
            if line := self._positions.get(key[:end]):
                return line
        return 1 if key else 0

    def _written(self, key: Key) -> Key:
        """Without the item numbers that validation adds where one thing stands for a list of it."""
        while key and isinstance(key[-1], int) and key not in self._positions:
            key = key[:-1]
        return key


def _shown(key: Key) -> str:
    """The key as one writes it in TOML, list items counted from 1."""
    shown = ""
    for part in key:
        if isinstance(part, int):
            shown += f"[{part + 1}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            # ascii() quotes and escapes: a key may hold what garbles a terminal.
            shown += ("." if shown else "") + (part if bare else ascii(part))
    return shown


# --- what validation found, in our words ------------------------------------------------------------------------------

_MISSING = {
    "account": 'is missing; at least one account is needed, as [account.NAME] with address = "…" and password = …',
    "address": 'is missing; write the address of the mailbox: address = "support@example.com"',
    "client_id": "is missing; register a program of your own with the provider and write the client id it gets "
    "(docs/configuration.md tells where)",
}

_WORDS = {
    "string_type": "is not text; allowed is text in quotes",
    "path_type": "is not a path; allowed is text in quotes",
    "int_type": "is not a whole number; allowed are digits without quotes",
    "bool_type": "is neither true nor false; allowed are true and false, without quotes",
    "tuple_type": 'is not a list; allowed is a list such as ["…"]',
    "dict_type": 'is not a table; allowed is a table such as { KEY = "…" }',
    "dataclass_type": "is not a table; allowed is a table such as { KEY = … }",
}


def problems_of(error: ValidationError) -> Iterator[Problem]:
    """All that validation found. No text tells a value from the file but where the value is surely no secret."""
    for detail in error.errors(include_url=False, include_input=False):
        key = tuple(part for part in detail["loc"] if part != "[key]")
        yield Problem(key, _worded(key, detail))


def _worded(key: Key, detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return _MISSING.get(str(key[-1]), "is missing")
        case "unexpected_keyword_argument":
            return _unknown(key)
        case "literal_error" | "enum":
            return f"is not known; allowed are {context['expected']}"
        case "greater_than_equal":
            return f"is too small; allowed is {context['ge']} or more"
        case "less_than_equal":
            return f"is too large; allowed is {context['le']} or less"
        case known:
            return _WORDS.get(known, detail["msg"])


def _unknown(key: Key) -> str:
    shape = _shape_at(key[:-1])
    return f"is unknown; {alternatives(str(key[-1]), known_keys(shape))}"


def known_keys(shape: type) -> list[str]:
    """The keys that a table of this shape may have, as they stand in the file."""
    return [key for field in dataclasses.fields(shape) if (key := key_of(field)) != NAME_KEY]


def key_of(field: "dataclasses.Field[object]") -> str:
    """How a field is called in the file."""
    for note in getattr(field.type, "__metadata__", ()):
        if isinstance(note, FieldInfo) and isinstance(note.validation_alias, str):
            return note.validation_alias
    return field.name


def _shape_at(key: Key) -> type:
    match key:
        case ("account", _):
            return Account
        case ("oauth", _) | ("account" | "smtp", _, "oauth"):
            return OAuthClient
        case ("handler", _):
            return HandlerSettings
        case ("smtp", _, "dkim"):
            return DkimSettings
        case ("smtp", _):
            return SmtpSettings
        case ("alerts",):
            return AlertSettings
        case ("watcher",):
            return WatcherSettings
        case ("rule", _):
            return Rule
        case ("rule", _, *_):
            return Condition
    return Document
