"""
The patterns of rules: globs and regular expressions, both run by RE2 in time linear in the text.

A rule is written once and then meets mail from anybody, so no pattern may have a text that makes it slow: Python's own
`re` needs minutes for some of 30 characters and can't be interrupted.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import re2

__all__ = ["Pattern", "parse_pattern"]

#: Bytes that RE2 may use for one compiled pattern; a larger one is refused.
_MEMORY = 2 << 20

#: Steps that holding a pattern against a text may take: at worst, each byte of the text costs one for each instruction
#: of the compiled pattern. Some 20 ms.
_STEPS = 4 << 20

#: Bytes of a text that every pattern sees at least, so that subjects and names are seen whole.
_LEAST_REACH = 1000


def _options(*, dot_matches_newline: bool) -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = dot_matches_newline
    options.log_errors = False  # it would write to stderr by itself
    options.never_capture = True  # nobody asks for groups, and without them it is faster
    options.max_mem = _MEMORY
    return options


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    One pattern of a rule, case-blind.

    A glob must fit the whole value: `*` is any text, `?` one character, `[a-z]` one of a set, `[!a-z]` one not of it. A
    regular expression (RE2 syntax: no look-around, no back-references) may fit anywhere in the value. Of a long text
    both see the beginning only, see `reach`. Raises ValueError if it can't be used.
    """

    text: str
    regex: bool = False
    reach: int = field(init=False, repr=False, compare=False)  #: bytes of a text that it is held against, at most
    _program: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.text:
            raise ValueError('is an empty pattern; "*" fits anything')
        text = unicodedata.normalize("NFC", self.text)
        program = text if self.regex else "".join(_glob(text))
        try:
            compiled = re2.compile(program, _options(dot_matches_newline=not self.regex))
        except re2.error as error:
            raise ValueError(_trouble(error.args[0])) from error
        reach = _STEPS // compiled.programsize
        if reach < _LEAST_REACH:
            raise ValueError(
                f"needs {compiled.programsize} steps for each letter, and {_STEPS // _LEAST_REACH} are allowed; "
                "repeat less: counts such as {1,100} multiply, and classes such as \\pL are long"
            )
        object.__setattr__(self, "reach", reach)
        object.__setattr__(self, "_program", compiled)

    def __reduce__(self) -> tuple[type["Pattern"], tuple[str, bool]]:
        return Pattern, (self.text, self.regex)

    def __str__(self) -> str:
        return f"{{ regex = '{self.text}' }}" if self.regex else self.text

    def fits(self, value: str) -> bool:
        """Whether the pattern fits this value of a mail."""
        # Composed, as macOS sends names of files decomposed; a lone surrogate can't be encoded and is no letter anyway.
        data = unicodedata.normalize("NFC", value).encode("utf-8", "replace")
        if len(data) > self.reach:
            data = _cut(data, self.reach)
        return bool(self._program.search(data) if self.regex else self._program.fullmatch(data))


def _cut(data: bytes, length: int) -> bytes:
    """The beginning of a UTF-8 text, with no letter cut in two: nothing would fit such a one."""
    while data[length] & 0xC0 == 0x80:
        length -= 1
    return data[:length]


def _glob(text: str) -> Iterator[str]:
    """The pieces of a regular expression that means the glob `text`."""
    # A "]" right after the opening stands for itself, as in a shell; a "[" that is never closed does too.
    for piece in re.finditer(r"\*+|\?|\[(?P<not>!?)(?P<set>\]?[^]]*)\]|.", text, re.DOTALL):
        if piece["set"]:
            members = re.sub(r"([\\\]\[^&~|])", r"\\\1", piece["set"])
            yield f"[{'^' if piece['not'] else ''}{members}]"
        elif piece[0].startswith("*"):
            yield ".*"
        elif piece[0] == "?":
            yield "."
        else:
            yield re2.escape(piece[0])


def _trouble(message: bytes) -> str:
    text = message.decode("utf-8", "replace")
    if text.startswith("pattern too large"):
        return "is too large a pattern; repeat less: counts such as {1,100} multiply, and classes such as \\pL are long"
    if text.startswith("invalid perl operator: (?"):
        return f"is not a usable pattern ({text}); look-around and its like are unknown, as patterns run in linear time"
    if re.match(r"invalid escape sequence: \\\d", text):
        return f"is not a usable pattern ({text}); back-references are not known, as patterns run in linear time"
    return f"is not a usable pattern ({text}); allowed is the syntax of RE2"


def parse_pattern(value: object) -> Pattern:
    """The pattern meant by "glob" or { regex = 'expression' }. Raises ValueError."""
    match value:
        case Pattern():
            return value
        case str():
            return Pattern(value)
        case {"regex": str(text), **others} if not others:
            return Pattern(text, regex=True)
    raise ValueError("is not a pattern; allowed is \"a glob with * and ?\" or { regex = 'an expression' }")
