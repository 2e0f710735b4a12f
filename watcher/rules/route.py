"""What is to be done with a mail: the rules that fit, put together. Pure."""

from collections.abc import Iterable, Iterator

from watcher.config.rules import Rule
from watcher.model import Action, Plan, Step
from watcher.rules.match import Answer, judge
from watcher.rules.sight import Sight

__all__ = ["fitting", "route"]


def route(rules: Iterable[Rule], sight: Sight) -> Plan:
    """
    The plan of all rules that fit the mail, in their order, up to one that stops.

    A handler that several rules name runs once, in the chain of the first. Actions come without doubles, flags before
    the one move or delete, as the mail is at its place only until then; of several moves and deletes the first counts.
    """
    fit = list(fitting(rules, sight))
    steps: dict[str, Step] = {}
    for rule in fit:
        for handler in rule.run:
            steps.setdefault(handler, Step(handler, chain=rule.name))
    chains = {step.chain for step in steps.values()}
    return Plan(
        steps=tuple(steps.values()),
        then=_joined(action for rule in fit for action in rule.then),
        on_dead=tuple((rule.name, action) for rule in fit if rule.name in chains for action in _joined(rule.on_dead)),
    )


def fitting(rules: Iterable[Rule], sight: Sight) -> Iterator[Rule]:
    """The rules that surely fit the mail, up to one that stops."""
    for rule in rules:
        if judge(rule.when, sight) is Answer.YES:
            yield rule
            if rule.stop:
                return


def _joined(actions: Iterable[Action]) -> tuple[Action, ...]:
    once = list(dict.fromkeys(actions))
    last = [action for action in once if action.verb.rank > 0]
    return tuple([action for action in once if action.verb.rank == 0] + last[:1])
