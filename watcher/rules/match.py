"""
Whether a mail is one that a rule is for. Pure: what is known of the mail in, an answer out.

What is not known yet makes the answer UNKNOWN, unless something else decides (Kleene's three values). A mail that was
taken apart is known wholly, so it gets a plain yes or no.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from watcher.config.patterns import Pattern
from watcher.config.rules import Condition
from watcher.config.units import Range
from watcher.model import Address
from watcher.rules.sight import Sight

__all__ = ["Answer", "Check", "checks", "judge"]


class Answer(IntEnum):
    """Of several that must all hold the least counts, of several of which one has to the greatest."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    @property
    def opposite(self) -> "Answer":
        return Answer(Answer.YES - self)


@dataclass(frozen=True, slots=True)
class Check:
    """One key of a condition, held against a mail."""

    key: str  #: as the file writes it
    answer: Answer
    wanted: tuple[str, ...] = ()  #: as the file writes it; one has to fit
    found: tuple[str, ...] = ()  #: what the mail has there
    inner: tuple[Condition, ...] = ()  #: of `any`, `all` and `not`


def judge(when: Condition | None, sight: Sight) -> Answer:
    """Whether every key of `when` holds for the mail; None holds for every mail."""
    answer = Answer.YES
    for check in checks(when, sight) if when else ():
        answer = min(answer, check.answer)
        if answer is Answer.NO:
            break
    return answer


def checks(when: Condition, sight: Sight) -> Iterator[Check]:
    """
    Each key of `when` held against the mail, the cheap ones first, and each only when it is asked for.

    A header, name or text that is absent fits no pattern, not even "*".
    """
    yield from _texts((("account", when.account, sight.account), ("folder", when.folder, sight.folder)))
    if when.size:
        yield _range("size", when.size, sight.size)
    if when.age:
        yield _range("age", when.age, None if sight.age is None else (sight.age, sight.age))
    yield from _words((("kind", when.kind, sight.kind), ("trust", when.trust, sight.trust)))
    yield from _addresses((("from", when.from_, sight.from_), ("to", when.to, sight.to), ("cc", when.cc, sight.cc)))
    yield from _texts([("subject", when.subject, sight.subject)])
    for name, patterns in when.header.items():
        yield _header(name, patterns, sight)
    if when.attachment or when.attachment_type:
        yield _attachment(when, sight)
    yield from _texts((("body", when.body, sight.body), ("reply", when.reply, sight.reply)))
    if when.all_of:
        yield Check("all", min(judge(inner, sight) for inner in when.all_of), inner=when.all_of)
    if when.any_of:
        yield Check("any", _best(judge(inner, sight) for inner in when.any_of), inner=when.any_of)
    if when.unless:
        yield Check("not", judge(when.unless, sight).opposite, inner=(when.unless,))


def _best(answers: Iterable[Answer]) -> Answer:
    """The greatest; none is asked for after a yes."""
    best = Answer.NO
    for answer in answers:
        best = max(best, answer)
        if best is Answer.YES:
            break
    return best


def _fits(patterns: Collection[Pattern], values: Iterable[str]) -> bool:
    return any(pattern.fits(value) for value in values for pattern in patterns)


def _certain(holds: bool) -> Answer:
    return Answer.YES if holds else Answer.NO


def _written(patterns: Iterable[Pattern]) -> tuple[str, ...]:
    return tuple(map(str, patterns))


def _texts(keys: Iterable[tuple[str, tuple[Pattern, ...], str | None]]) -> Iterator[Check]:
    for key, patterns, value in keys:
        if patterns:
            values = (value,) if value else ()
            answer = Answer.UNKNOWN if value is None else _certain(_fits(patterns, values))
            yield Check(key, answer, _written(patterns), values)


def _words(keys: Iterable[tuple[str, tuple[str, ...], str | None]]) -> Iterator[Check]:
    for key, words, word in keys:
        if words:
            yield Check(key, Answer.UNKNOWN if word is None else _certain(word in words), words, (word or "",))


def _range(key: str, ranges: tuple[Range, ...], span: tuple[float, float] | None) -> Check:
    """Of a span that is only partly in the ranges it is not known."""
    wanted = tuple(each.text for each in ranges)
    if span is None:
        return Check(key, Answer.UNKNOWN, wanted)
    if any(span[0] in each and span[1] in each for each in ranges):
        answer = Answer.YES
    else:
        answer = Answer.UNKNOWN if any(each.meets(*span) for each in ranges) else Answer.NO
    return Check(key, answer, wanted, (f"{span[0]:.0f}",))


def _addresses(keys: Iterable[tuple[str, tuple[Pattern, ...], tuple[Address, ...] | None]]) -> Iterator[Check]:
    for key, patterns, people in keys:
        if patterns:
            holds = any(
                pattern.fits(value) for pattern in patterns for each in people or () for value in _told(pattern, each)
            )
            found = tuple(each.address or each.name for each in people or ())
            yield Check(key, Answer.UNKNOWN if people is None else _certain(holds), _written(patterns), found)


def _told(pattern: Pattern, address: Address) -> Iterator[str]:
    """What of an address a pattern is held against."""
    if address.address:
        yield address.address
    # Names are free text: one that looks like an address must not pass for it.
    if address.name and "@" not in pattern.text:
        yield address.name


def _header(name: str, patterns: tuple[Pattern, ...], sight: Sight) -> Check:
    """Of a header that comes several times, one has to fit. An empty one is there, so "*" fits it."""
    values = tuple(value for header, value in sight.headers or () if header.lower() == name.lower())
    answer = Answer.UNKNOWN if sight.headers is None else _certain(_fits(patterns, values))
    return Check(f"header {name}", answer, _written(patterns), values)


def _attachment(when: Condition, sight: Sight) -> Check:
    """Whether one attachment has both the name and the type, as far as they are asked for."""
    wanted = _written(when.attachment + when.attachment_type)
    if sight.attachments is None:
        return Check("attachment", Answer.UNKNOWN, wanted)
    holds = any(
        _may(when.attachment, each.name) and _may(when.attachment_type, each.type) for each in sight.attachments
    )
    answer = Answer.UNKNOWN if holds and not sight.exact else _certain(holds)
    key = "attachment" if when.attachment else "attachment_type"
    found = tuple((each.name if when.attachment else each.type) or "?" for each in sight.attachments)
    return Check(key, answer, wanted, found)


def _may(patterns: tuple[Pattern, ...], value: str | None) -> bool:
    return not patterns or value is None or (bool(value) and _fits(patterns, (value,)))
