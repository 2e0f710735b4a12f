"""A rule: which mails it is for, and what is done with them."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, Strict
from pydantic.dataclasses import dataclass

from watcher.config.patterns import Pattern, parse_pattern
from watcher.config.shape import STRICT, Name, Text, alternatives, has_control, listed, not_empty
from watcher.config.units import Range, parse_age_range, parse_size_range
from watcher.findings import MailKind, SenderVerdict
from watcher.model import Action, Verb

__all__ = ["Condition", "Rule", "parse_action"]


def _header_name(name: str) -> str:
    # RFC 5322 2.2: printable ASCII but the colon.
    if not re.fullmatch(r"[!-9;-~]+", name):
        raise ValueError("is not the name of a header; allowed are visible ASCII characters without ':'")
    return name


Patterns = Annotated[
    tuple[Annotated[Pattern, PlainValidator(parse_pattern)], ...], AfterValidator(not_empty), BeforeValidator(listed)
]
Sizes = Annotated[
    tuple[Annotated[Range, PlainValidator(parse_size_range)], ...], AfterValidator(not_empty), BeforeValidator(listed)
]
Ages = Annotated[
    tuple[Annotated[Range, PlainValidator(parse_age_range)], ...], AfterValidator(not_empty), BeforeValidator(listed)
]
Kinds = Annotated[tuple[MailKind, ...], AfterValidator(not_empty), BeforeValidator(listed)]
Verdicts = Annotated[tuple[SenderVerdict, ...], AfterValidator(not_empty), BeforeValidator(listed)]
Headers = Annotated[Mapping[Annotated[str, AfterValidator(_header_name)], Patterns], AfterValidator(not_empty)]
Conditions = Annotated[tuple["Condition", ...], AfterValidator(not_empty)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Condition:
    """One `when`. Every key that is given must hold; a key with several patterns holds if any of them fits."""

    #: A sender.
    #: Allowed: patterns.
    from_: Annotated[Patterns, Field(validation_alias="from")] = ()
    #: A recipient in To or Cc.
    to: Patterns = ()
    #: A recipient in Cc.
    cc: Patterns = ()
    #: The subject.
    subject: Patterns = ()
    #: Any other header, such as `{ List-Id = "*announce*", Delivered-To = "*@example.com" }`; all that are named must
    #: hold. If a header comes several times, one has to fit.
    #: Allowed: a table: header = patterns.
    header: Headers = Field(default_factory=dict)
    #: The text of the mail; its first 64 k characters are looked at.
    body: Patterns = ()
    #: The newest part of the text, without what it quotes.
    reply: Patterns = ()
    #: The folder it came to.
    folder: Patterns = ()
    #: The NAME of the account it came to.
    account: Patterns = ()
    #: Size of the whole mail.
    #: Allowed: `">1M"`, `">=1M"`, `"<10k"`, `"<=10k"`, `"1M..10M"`.
    size: Sizes = ()
    #: How long ago the server took it in (its INTERNALDATE), when the rules are asked. The Date that a mail bears is
    #: its sender's choice and does not count.
    #: Allowed: `">2d"`, `">=2d"`, `"<1h"`, `"<=1h"`, `"1h..2d"`.
    age: Ages = ()
    #: Name of an attachment; `"*"` means that there is one.
    attachment: Patterns = ()
    #: Media type of an attachment, such as `"image/*"`; of the same one, if `attachment` is given too.
    attachment_type: Patterns = ()
    #: What kind of mail it is.
    #: Allowed: `"normal"`, `"bounce"`, `"report"`, `"auto-reply"`, `"calendar"`, `"encrypted"`, `"list"`, `"signed"`,
    #: or a list.
    kind: Kinds = ()
    #: Whether the sender is who it says; see `authserv`. Without `authserv` and `own_dkim` no mail is verified.
    #: Allowed: `"verified"`, `"unverified"`, `"failed"`, or a list.
    trust: Verdicts = ()
    #: At least one of these holds.
    #: Default: none.
    #: Allowed: a list of conditions.
    any_of: Annotated[Conditions, Field(validation_alias="any")] = ()
    #: Each of these holds.
    #: Default: none.
    #: Allowed: a list of conditions.
    all_of: Annotated[Conditions, Field(validation_alias="all")] = ()
    #: This one does not hold.
    #: Default: none.
    #: Allowed: a condition.
    unless: Annotated["Condition | None", Field(validation_alias="not")] = None

    def __post_init__(self) -> None:
        """Refuses what says nothing: it would fit every mail, which is said by leaving it out."""
        if not any(getattr(self, field.name) for field in dataclasses.fields(self)):
            raise ValueError("is empty; name something to hold a mail against, or leave it out to mean every mail")


def parse_action(value: object) -> Action:
    """The action meant by "seen", "flagged", "delete", { flag = "…" } or { move = "…" }. Raises ValueError."""
    match value:
        case Action():
            return value
        case "seen":
            return Action(Verb.SEEN)
        case "flagged":
            return Action(Verb.FLAG, "\\Flagged")
        case "delete":
            return Action(Verb.DELETE)
        case {"flag": str(flag), **others} if not others:
            return _flag(flag)
        case {"move": str(folder), **others} if not others:
            if not folder or has_control(folder):
                raise ValueError("move names no folder; allowed is one line of text")
            return Action(Verb.MOVE, folder)
        case str():
            raise ValueError(f"{value!r} is not an action; {alternatives(value, ['seen', 'flagged', 'delete'])}")
    raise ValueError(
        'is not an action; allowed are "seen", "flagged", "delete", { flag = "$Done" } and { move = "Folder" }'
    )


def _flag(flag: str) -> Action:
    # RFC 3501 9: a keyword is an atom; a system flag is an atom after a backslash; \Recent is the server's own.
    if not re.fullmatch(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]+", flag) or flag.lower() == "\\recent":
        raise ValueError(
            'flag is no name of an IMAP flag; allowed are "$Done", "Invoice" or "\\\\Flagged": '
            'ASCII without blanks, quotes and ( ) { ] % * \\, not "\\\\Recent"'
        )
    return Action(Verb.SEEN) if flag.lower() == "\\seen" else Action(Verb.FLAG, flag)


def _one_end(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    if sum(action.verb.rank > 0 for action in actions) > 1:
        raise ValueError("moves or deletes the mail more than once; allowed is one `move` or `delete` in a list")
    return actions


Actions = Annotated[tuple[Annotated[Action, PlainValidator(parse_action)], ...], AfterValidator(_one_end)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Rule:
    """One `[[rule]]`."""

    #: Shown with jobs and in logs.
    #: Default: `rule 1` and so on.
    #: Allowed: one line of text, each once.
    name: Text
    #: Which mails the rule is for.
    #: Default: every mail.
    #: Allowed: a table, see [Conditions](#conditions).
    when: Condition | None = None
    #: Handlers to run, one after the other. NAME means the file NAME or NAME.* in the handlers folder, such as
    #: `book-invoice.py`.
    #: Allowed: a list of handler names.
    run: tuple[Name, ...] = ()
    #: What to do on the server when **all** handlers of the mail have succeeded, those of other rules included.
    then: Actions = ()
    #: What to do on the server when a handler of this rule is given up.
    on_dead: Actions = ()
    #: Rules below don't see a mail that fits this one.
    stop: Annotated[bool, Strict()] = False
