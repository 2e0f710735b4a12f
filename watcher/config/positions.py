"""Which line of a TOML text a key stands on: `tomllib` tells values only, and whoever mends the file wants lines."""

import contextlib
import re
import tomllib
from collections.abc import Mapping

__all__ = ["Key", "positions"]

#: The way to a value: names of tables and keys, and numbers of list items, which count from 0.
Key = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")  # number, date with a blank in it, true or false


def positions(text: str) -> Mapping[Key, int]:
    """
    For each key, table and list item the number of the line on which it first appears, from 1.

    `text` must be valid TOML. Should there be something that this reader doesn't follow, the rest is missing from the
    answer, and its keys are looked for on the line of what they belong to.
    """
    reader = _Reader(text)
    with contextlib.suppress(_LostError):
        reader.document()
    return reader.found


class _LostError(Exception):
    """The reader and the text have parted."""


class _Reader:
    """Walks over the text once, writing down where each key is. Values are stepped over, not understood."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0  #: up to where lines have been counted
        self._items: dict[Key, int] = {}  #: array of tables -> number of its last item
        self.found: dict[Key, int] = {}

    def document(self) -> None:
        table: Key = ()
        self._step(_BLANK)
        while self._at < len(self._text):
            table = self._header() if self._text.startswith("[", self._at) else self._pair(table)
            self._step(_BLANK)

    def _header(self) -> Key:
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        *outer, last = self._dotted()
        table = self._within((), outer)
        if not many:
            table = self._within(table, [last])
        else:
            self._mark((*table, last))
            table = (*table, last)
            self._items[table] = self._items.get(table, -1) + 1
            table = (*table, self._items[table])
        self._expect("]]" if many else "]")
        self._mark(table)
        return table

    def _within(self, table: Key, names: list[str]) -> Key:
        """The table reached by `names`; a name of an array of tables means its last item."""
        for name in names:
            table = (*table, name)
            self._mark(table)
            if table in self._items:
                table = (*table, self._items[table])
        return table

    def _pair(self, table: Key) -> Key:
        """One `key = value` of `table`. Returns the table, which stays the current one."""
        key = self._within(table, self._dotted())
        self._expect("=")
        self._value(key)
        return table

    def _dotted(self) -> list[str]:
        names = [self._name()]
        while self._text.startswith(".", self._at):
            self._at += 1
            names.append(self._name())
        return names

    def _name(self) -> str:
        self._step(_BLANK)
        quoted = self._step(_STRING)
        try:
            name = str(tomllib.loads(f"name = {quoted}")["name"]) if quoted else self._step(_WORD)
        except tomllib.TOMLDecodeError as error:
            raise _LostError from error
        if not quoted and not name:
            raise _LostError
        self._step(_BLANK)
        return name

    def _value(self, key: Key) -> None:
        self._step(_BLANK)
        match self._text[self._at : self._at + 1]:
            case "[":
                self._series("]", key)
            case "{":
                self._series("}", key)
            case _:
                if not self._step(_STRING) and not self._step(_SCALAR):
                    raise _LostError

    def _series(self, end: str, key: Key) -> None:
        """A list up to "]", or an inline table up to "}"."""
        self._at += 1
        number = 0
        self._step(_BLANK)
        while not self._text.startswith(end, self._at):
            if end == "]":
                self._mark((*key, number))
                self._value((*key, number))
            else:
                self._pair(key)
            number += 1
            self._step(_BLANK)
            if self._text.startswith(",", self._at):
                self._at += 1
                self._step(_BLANK)
            elif not self._text.startswith(end, self._at):
                raise _LostError
        self._at += 1

    def _step(self, pattern: re.Pattern[str]) -> str:
        """Goes past what fits `pattern` here, and returns it; "" if nothing does."""
        here = pattern.match(self._text, self._at)
        if here is None:
            return ""
        self._at = here.end()
        return here[0]

    def _expect(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise _LostError
        self._at += len(mark)

    def _mark(self, key: Key) -> None:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        self.found.setdefault(key, self._line)
