"""Why a rule is for a mail, or not, in words. Pure; asks the same checks that decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watcher.config.rules import Condition, Rule
from watcher.model import Action
from watcher.printing import one_line
from watcher.rules.match import Answer, Check, checks, judge
from watcher.rules.sight import Sight

__all__ = ["Explanation", "explain"]

LONGEST = 60  #: characters of one value that are shown
MOST = 3  #: values of one key that are shown

#: Keys whose values are words; others are texts of any kind.
PLAIN = frozenset({"account", "folder", "kind", "trust", "from", "to", "cc", "attachment_type"})

#: Seconds of the units in which an age is told.
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one rule says to a mail."""

    rule: str  #: its name
    fits: bool  #: its condition holds
    reason: str  #: the key that decided, what the mail has there, and what was wanted
    hidden_by: str  #: name of the rule above that fits and stops, so that this one is not asked; "" if there is none
    stop: bool  #: the rules below are not asked if this one fits
    run: tuple[str, ...]
    then: tuple[Action, ...]
    on_dead: tuple[Action, ...]


def explain(rules: Iterable[Rule], sight: Sight) -> list[Explanation]:
    """One explanation for each rule, in their order."""
    told: list[Explanation] = []
    hidden_by = ""
    for rule in rules:
        fits = judge(rule.when, sight) is Answer.YES
        reason = _reason(rule.when, sight) if rule.when else "it is for every mail"
        told.append(Explanation(rule.name, fits, reason, hidden_by, rule.stop, rule.run, rule.then, rule.on_dead))
        if fits and rule.stop and not hidden_by:
            hidden_by = rule.name
    return told


def _reason(when: Condition, sight: Sight) -> str:
    """The first key that does not hold; of a condition that holds, all keys."""
    found = list(checks(when, sight))
    worst = min(check.answer for check in found)
    if worst is not Answer.YES:
        return _words(next(check for check in found if check.answer is worst), sight)
    return "; ".join(_words(check, sight) for check in found)


def _words(check: Check, sight: Sight) -> str:
    if check.inner:
        return _of_several(check, sight)
    wanted = f"wanted {' or '.join(check.wanted)}"
    if check.answer is Answer.UNKNOWN:
        return f"{check.key} is not known, {wanted}"
    if not any(check.found):
        return f"{check.key} is absent, {wanted}"
    shown = _shown(check.key, check.found)
    if check.answer is Answer.NO:
        return f"{check.key} is {shown}, {wanted}"
    return f"{check.key} is {shown}" + (f", as {wanted}" if check.found != check.wanted else "")


def _of_several(check: Check, sight: Sight) -> str:
    """Of `any`, `all` and `not`: by what is decisive in them."""
    decisive = [inner for inner in check.inner if judge(inner, sight) is check.answer] or list(check.inner)
    match check.key, check.answer:
        case "not", Answer.NO:
            return f"what `not` excludes holds: {_reason(check.inner[0], sight)}"
        case "not", _:
            return f"what `not` excludes does not hold: {_reason(check.inner[0], sight)}"
        case "any", Answer.YES:
            return f"of `any`: {_reason(decisive[0], sight)}"
        case "any", _:
            return f"none of `any`: {'; '.join(_reason(inner, sight) for inner in check.inner)}"
        case _, Answer.YES:
            return f"of `all`: {'; '.join(_reason(inner, sight) for inner in check.inner)}"
    return f"of `all`: {_reason(decisive[0], sight)}"


def _shown(key: str, values: Sequence[str]) -> str:
    if key == "size":
        return f"{values[0]} bytes"
    if key == "age":
        return _age(float(values[0]))
    found = [one_line(value[: 10 * LONGEST], LONGEST) for value in values[:MOST]]
    texts = found if key in PLAIN else [f'"{text}"' for text in found]
    more = [f"{len(values) - MOST} more"] if len(values) > MOST else []
    return ", ".join(texts + more)


def _age(seconds: float) -> str:
    unit, length = next((each for each in UNITS if seconds >= each[1]), UNITS[-1])
    return f"{seconds / length:.3g}{unit}"
