"""Whether a mail is one that a rule is for. Pure: facts of the mail in, yes or no out."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from watcher.config.patterns import Pattern
from watcher.config.rules import Condition
from watcher.model import Address, Attachment, Message

__all__ = ["BODY_LIMIT", "matches"]

#: Characters of the body that patterns see. RE2 needs time in proportion to text times pattern, so both are bounded.
BODY_LIMIT = 64 * 1024


def matches(when: Condition, message: Message, body: str) -> bool:
    """
    Whether every key of `when` holds for the mail; `body` is its text, "" if it has none.

    A header, name or text that is absent fits no pattern, not even "*".
    """
    return (
        _address(when.from_, message.from_)
        and _address(when.to, message.to + message.cc)
        and _address(when.cc, message.cc)
        and _value(when.subject, [message.subject])
        and _value(when.folder, [message.folder])
        and _value(when.account, [message.account])
        and (not when.size or any(message.size in size for size in when.size))
        and all(_header(patterns, name, message) for name, patterns in when.header.items())
        and (not when.kind or message.nature.kind in when.kind)
        and (not when.trust or message.trust.verdict in when.trust)
        and _attachment(when, message.attachments)
        and _value(when.body, [body[:BODY_LIMIT]])
        and _value(when.reply, [message.reply])
        and all(matches(inner, message, body) for inner in when.all_of)
        and (not when.any_of or any(matches(inner, message, body) for inner in when.any_of))
        and not (when.unless and matches(when.unless, message, body))
    )


def _value(patterns: tuple[Pattern, ...], values: Iterable[str | None]) -> bool:
    """Whether there is no pattern to hold, or one of them fits one of the values that are there."""
    return not patterns or any(pattern.fits(value) for value in values if value for pattern in patterns)


def _address(patterns: tuple[Pattern, ...], addresses: tuple[Address, ...]) -> bool:
    return not patterns or any(
        pattern.fits(value) for pattern in patterns for each in addresses for value in _told(pattern, each)
    )


def _told(pattern: Pattern, address: Address) -> Iterator[str]:
    """What of an address a pattern is held against."""
    if address.address:
        yield address.address
    # Names are free text: one that looks like an address must not pass for it.
    if address.name and "@" not in pattern.text:
        yield address.name


def _header(patterns: tuple[Pattern, ...], name: str, message: Message) -> bool:
    """Of a header that comes several times, one has to fit. An empty one is there, so "*" fits it."""
    values = (value for header, value in message.headers if header.lower() == name.lower())
    return any(pattern.fits(value) for value in values for pattern in patterns)


def _attachment(when: Condition, attachments: tuple[Attachment, ...]) -> bool:
    """Whether one attachment has both the name and the type, as far as they are asked for."""
    if not (when.attachment or when.attachment_type):
        return True
    return any(
        _value(when.attachment, [each.name or PurePosixPath(each.path).name])
        and _value(when.attachment_type, [each.type])
        for each in attachments
    )
