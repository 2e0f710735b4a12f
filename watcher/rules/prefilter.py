"""Which mails need not be fetched, since no rule can be for them. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from watcher.config.rules import Condition, Rule
from watcher.imap.outlines import OUTLINE, TEXT, Outline, Question
from watcher.limits import KIB
from watcher.rules.foresight import foreseen
from watcher.rules.match import Answer, judge
from watcher.rules.sight import Sight

__all__ = ["Prefilter"]

#: Bytes of a mail that is worth a closer look, and parts that are looked at.
BIG = 64 * KIB
MANY = 20


class Prefilter:
    """What the rules say about mails that are only known from outside."""

    def __init__(self, rules: Callable[[], Sequence[Rule]]) -> None:
        """`rules`: those in force now."""
        self.rules = rules

    def question(self, account: str, folder: str) -> Question | None:
        """What to ask of mails in this folder; None if they are to be fetched anyway, whatever the answer would be."""
        rules = self.rules()
        nothing = Sight(account, folder)
        open_ = [rule.when for rule in rules if judge(rule.when, nothing) is not Answer.NO]
        if not rules or not all(when and can_fail(when, nothing) for when in open_):
            return None  # without rules mails are kept for whoever looks for them
        conditions = [inner for when in open_ if when for inner in _all(when)]
        parts = any(when.attachment or when.attachment_type for when in conditions)
        return Question(parts or any(map(_asks_header, conditions)), parts)

    def refuses(self, outline: Outline, account: str, folder: str, now: float) -> bool:
        """Whether surely no rule is for this mail."""
        sight = foreseen(outline, account, folder, now)
        return all(judge(rule.when, sight) is Answer.NO for rule in self.rules())

    def doubts(self, outline: Outline, account: str, folder: str, now: float) -> bool:
        """Whether a closer look at the parts of a mail that is not refused may spare much of what fetching it costs."""
        leaves, sight = outline.leaves or (), foreseen(outline, account, folder, now)
        texts = sum(leaf.size for leaf in leaves if leaf.type == TEXT)
        if sight.attachments is None or (outline.size or 0) <= BIG or len(leaves) > MANY or texts >= OUTLINE:
            return False
        bare = replace(sight, attachments=())
        return bool(leaves[0].section) and all(judge(rule.when, bare) is Answer.NO for rule in self.rules())


def can_fail(when: Condition, nothing: Sight) -> bool:
    """Whether an outline could show that the condition does not hold. `nothing`: of a mail, but where it lies."""
    return (
        judge(when, nothing) is Answer.NO
        or bool(_asks_header(when) or when.size or when.age)
        or bool(when.attachment or when.attachment_type)
        or any(can_fail(inner, nothing) for inner in when.all_of)
        or bool(when.any_of and all(can_fail(inner, nothing) for inner in when.any_of))
        or bool(when.unless and can_hold(when.unless, nothing))
    )


def can_hold(when: Condition, nothing: Sight) -> bool:
    """Whether an outline could show that it holds."""
    return (
        judge(when, nothing) is not Answer.NO
        and not (when.kind or when.trust or when.body or when.reply or when.attachment or when.attachment_type)
        and all(can_hold(inner, nothing) for inner in when.all_of)
        and (not when.any_of or any(can_hold(inner, nothing) for inner in when.any_of))
        and (not when.unless or can_fail(when.unless, nothing))
    )


def _asks_header(when: Condition) -> bool:
    return bool(when.from_ or when.to or when.cc or when.subject or when.header)


def _all(when: Condition) -> Iterator[Condition]:
    """A condition and all within it."""
    yield when
    for inner in (*when.all_of, *when.any_of, *([when.unless] if when.unless else [])):
        yield from _all(inner)
