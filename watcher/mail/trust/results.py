"""
Authentication-Results (RFC 8601 2.2), read as strictly as one must read words that decide.

Half of such a field are words of the sender: his MAIL FROM and his signature's domain stand in values and comments. So
what is not wholly clear is refused as a whole. What is stricter than the RFC, and why, stands at each rule.
"""

import re
from dataclasses import dataclass

__all__ = ["Result", "Results", "Unclear", "clauses", "read_results", "server_of"]


class Unclear(ValueError):
    """A field that can be read in two ways, or in none. `str()` says what is wrong, without words of the mail."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one method found."""

    method: str  #: "spf", "dkim", "dmarc" ..., in lower case
    result: str  #: "pass", "fail" ..., in lower case
    properties: tuple[tuple[str, str], ...]  #: ("header.from", "b.example"): names in lower case, values as written

    def value(self, name: str) -> str | None:
        """The property called `name`; None if there is none. Raises Unclear if it is given twice."""
        values = [value for key, value in self.properties if key == name]
        if len(values) > 1:
            raise Unclear(f"it gives {name} twice")
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Results:
    """One Authentication-Results field."""

    server: str  #: the authserv-id, in lower case
    found: tuple[Result, ...]

    def of(self, method: str) -> tuple[Result, ...]:
        """The results of one method, in order."""
        return tuple(result for result in self.found if result.method == method)


#: The authserv-id in its plain form. A quoted one, or one behind a comment, is legal; but no border writes it so, and
#: forgers do, to slip past borders that remove fields with their own name.
_SERVER = re.compile(rb"[ \t]*([A-Za-z0-9._-]{1,253})(?=[ \t;]|\Z)")

#: Pieces outside of comments, and inside of them, where quotes mean nothing (RFC 5322 3.2.2).
_OUTSIDE = re.compile(r'[^"()\\;]++|"(?:[^"\\]|\\.)*+"|[;(]')
_INSIDE = re.compile(r"[^()\\]++|\\.|[()]")
_ESCAPED = re.compile(r"\\.")

#: Stands for a comment in what `clauses` gives; control characters can't come from the field itself.
_COMMENT = "\1"
_BLANK = r"[ \t\1]"

_VERSION = re.compile(rf"{_BLANK}*+[^ \t\1]+(?:[ \t]+1)?(?:[ \t]{_BLANK}*)?")
_RESULT = re.compile(
    rf"{_BLANK}*+([A-Za-z][\w-]{{0,60}})(?:[ \t]*/[ \t]*1)?[ \t]*=[ \t]*([A-Za-z][\w-]{{0,60}})(?={_BLANK}|\Z)"
)
#: A value ends at a blank. RFC 8601 lets a comment follow at once; but "victim.example(.evil.example)" is a domain that
#: a careless signer may have been made to sign for, not "victim.example" with a remark.
_PROPERTY = re.compile(
    rf"{_BLANK}++([A-Za-z][\w-]{{0,60}}(?:\.[A-Za-z][\w-]{{0,60}})?)[ \t]*=[ \t]*"
    r'("(?:[^"\\]|\\.)*+"(?:@[^\s"\1]++)?|[^\s"\1]*+)(?=[ \t]|\Z)'
)
_REST = re.compile(rf"{_BLANK}*+")


def server_of(field: bytes) -> str | None:
    """The authserv-id of an unfolded field, in lower case; None if it has none in plain form."""
    found = _SERVER.match(field)
    return found[1].decode("ascii").lower() if found else None


def read_results(field: bytes) -> Results:
    """Read an unfolded field. Raises Unclear."""
    server = server_of(field)
    first, *rest = clauses(field)
    if server is None or not _VERSION.fullmatch(first):
        raise Unclear("it has no plain server name, or another version")
    return Results(server, tuple(_result(clause) for clause in rest if clause.strip(" \t\1") not in ("", "none")))


def clauses(field: bytes) -> list[str]:
    """What semicolons part, outside of quotes and comments; a comment becomes one mark. Raises Unclear."""
    try:
        text = field.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unclear("it is not UTF-8") from error
    if any((ord(letter) < 32 and letter != "\t") or ord(letter) == 127 for letter in text):
        raise Unclear("it has control characters")
    found = [""]
    at = 0
    while at < len(text):
        piece = _OUTSIDE.match(text, at)
        if piece is None:
            raise Unclear("a quote or bracket in it is not closed, or opened")
        at = piece.end()
        if piece[0] == "(":
            at = _behind_comment(text, at)
            found[-1] += _COMMENT
        elif piece[0] == ";":
            found.append("")
        else:
            found[-1] += piece[0]
    return found


def _behind_comment(text: str, at: int) -> int:
    """Offset behind the comment that was opened before `at`; comments nest."""
    depth, quotes = 1, 0
    while depth:
        piece = _INSIDE.match(text, at)
        if piece is None:
            raise Unclear("a comment in it is not closed")
        at = piece.end()
        depth += (piece[0] == "(") - (piece[0] == ")")
        quotes += piece[0].count('"') if not _ESCAPED.match(piece[0]) else 0
    # A quoted local part that holds a bracket ends the comment it is shown in, and what follows looks like results.
    if quotes % 2:
        raise Unclear("a quote begins in a comment and ends outside")
    return at


def _result(clause: str) -> Result:
    head = _RESULT.match(clause)
    if head is None:
        raise Unclear("it has a result that can't be read")
    at = head.end()
    properties = []
    while found := _PROPERTY.match(clause, at):
        at = found.end()
        properties.append((found[1].lower(), found[2]))
    if not _REST.fullmatch(clause, at):
        raise Unclear("it has a property that can't be read")
    return Result(head[1].lower(), head[2].lower(), tuple(properties))
