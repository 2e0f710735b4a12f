import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.conftest import MAIL, NOW
from watcher.config import Rule
from watcher.model import Action, Plan, Step, Verb
from watcher.rules import route as routing
from watcher.rules.sight import whole

SEEN, DELETE = Action(Verb.SEEN), Action(Verb.DELETE)
DONE, ELSEWHERE = Action(Verb.MOVE, "Done"), Action(Verb.MOVE, "Elsewhere")
MARK, FAILED = Action(Verb.FLAG, "$Done"), Action(Verb.FLAG, "$Failed")


def route(rules, message, body):
    return routing.route(rules, whole(message, body, NOW))


@pytest.fixture
def rule(when):
    def build(name="r", written="", **parts):
        return Rule(name=name, when=when(written) if written else None, **parts)

    return build


def test_no_rule_nothing_to_do(rule):
    assert route((), MAIL, "") == Plan()
    assert route([rule(written="from = 'x@y'", run=("a",), then=(SEEN,), on_dead=(FAILED,))], MAIL, "") == Plan()


def test_all_rules_that_fit_in_their_order(rule):
    rules = [
        rule("one", run=("a", "b"), then=(SEEN,)),
        rule("two", "from = 'x@y'", run=("never",)),
        rule("three", "subject = '*invoice*'", run=("c",), then=(MARK, SEEN)),
    ]
    assert route(rules, MAIL, "") == Plan(
        steps=(Step("a", "one"), Step("b", "one"), Step("c", "three")), then=(SEEN, MARK)
    )


def test_a_handler_runs_once_in_the_first_chain(rule):
    rules = [rule("one", run=("a", "b", "a")), rule("two", run=("b", "c"))]
    assert route(rules, MAIL, "").steps == (Step("a", "one"), Step("b", "one"), Step("c", "two"))


def test_stop_ends_only_if_its_rule_fits(rule):
    rules = [
        rule("one", "from = 'x@y'", run=("a",), stop=True),
        rule("two", run=("b",), stop=True),
        rule("three", run=("c",)),
    ]
    assert route(rules, MAIL, "").steps == (Step("b", "two"),)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ((DONE,), (SEEN,), (SEEN, DONE)),
        ((DONE, SEEN), (MARK,), (SEEN, MARK, DONE)),
        ((DONE,), (ELSEWHERE,), (DONE,)),
        ((DELETE,), (DONE,), (DELETE,)),
        ((SEEN, DONE), (DONE, SEEN), (SEEN, DONE)),
        ((), (DELETE,), (DELETE,)),
    ],
)
def test_then_is_joined_with_flags_first_and_one_end(rule, first, second, joined):
    assert route([rule("one", then=first), rule("two", then=second)], MAIL, "").then == joined


def test_on_dead_belongs_to_the_chain(rule):
    rules = [
        rule("one", run=("a",), on_dead=(ELSEWHERE, FAILED)),
        rule("two", run=("b",), on_dead=(DELETE,)),
        rule("three", run=("a",), on_dead=(MARK,)),  # its only handler runs in the first chain, so this one can't die
    ]
    assert route(rules, MAIL, "").on_dead == (("one", FAILED), ("one", ELSEWHERE), ("two", DELETE))


def test_a_rule_sees_the_body(rule):
    rules = [rule(written="body = '*order*'", run=("a",))]
    assert route(rules, MAIL, "my order").steps == (Step("a", "r"),)
    assert route(rules, MAIL, "").steps == ()


ACTIONS = st.lists(st.sampled_from([SEEN, MARK, FAILED, DONE, ELSEWHERE, DELETE]), max_size=4).filter(
    lambda actions: sum(action.verb in (Verb.MOVE, Verb.DELETE) for action in actions) < 2
)
RULES = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from(["one", "two", "three"]),
        run=st.lists(st.sampled_from("abc"), max_size=3).map(tuple),
        then=ACTIONS.map(tuple),
        on_dead=ACTIONS.map(tuple),
        stop=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda rule: rule.name,
)


@given(RULES)
def test_any_plan_can_be_carried_out(rules):
    plan = route(rules, MAIL, "")
    assert len({step.handler for step in plan.steps}) == len(plan.steps)
    for actions in (
        plan.then,
        *([a for chain, a in plan.on_dead if chain == name] for name in ("one", "two", "three")),
    ):
        ends = [place for place, action in enumerate(actions) if action.verb in (Verb.MOVE, Verb.DELETE)]
        assert ends in ([], [len(actions) - 1])
        assert len(set(actions)) == len(actions)
    reached = rules[: next((n for n, rule in enumerate(rules, 1) if rule.stop), len(rules))]
    assert {step.handler for step in plan.steps} == {handler for rule in reached for handler in rule.run}
    assert {chain for chain, _ in plan.on_dead} <= {step.chain for step in plan.steps}
