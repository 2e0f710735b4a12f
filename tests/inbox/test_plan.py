"""How folders share the links of their account: tables of cases."""

import math
from dataclasses import replace

import pytest

from watcher.inbox.plan import Shares


def names(count: int) -> tuple[str, ...]:
    return tuple(f"F{number}" for number in range(count))


@pytest.mark.parametrize(
    ("folders", "bears", "notify", "own"),
    [
        (3, 8, False, 3),
        (7, 8, False, 7),
        (8, 8, False, 6),
        (50, 8, False, 6),
        (1, 1, False, 1),
        (1, 2, False, 1),
        (5, 2, False, 0),
        (5, 1, False, 0),
        (50, 2, True, 0),
    ],
)
def test_the_first_folders_get_links_within_the_budget(folders: int, bears: int, notify: bool, own: int) -> None:
    dealt = Shares(8, bears).dealt(names(folders), notify=notify)
    assert dealt.own == names(folders)[:own]


@pytest.mark.parametrize(
    ("own", "folders", "bears", "notify", "after"),
    [
        ("ba", "abc", 5, False, "bac"),  # the order is that in which they got them
        ("ba", "abcd", 5, False, "bacd"),
        ("ba", "abcde", 5, False, "bac"),
        ("abcd", "abcde", 5, False, "abcd"),  # nobody loses one for a folder that is new
        ("ab", "abcde", 3, False, "ab"),
        ("ab", "abc", 8, True, "ab"),
        ("ab", "", 8, False, "ab"),  # not found just now: only a refusal says that it is gone
    ],
)
def test_who_has_a_link_keeps_it(own: str, folders: str, bears: int, notify: bool, after: str) -> None:
    shares = Shares(8, bears, tuple(own), returned=("z",))
    assert shares.dealt(tuple(folders), notify=notify) == Shares(8, bears, tuple(after))


@pytest.mark.parametrize(
    ("own", "name", "steward", "leaving", "bears"),
    [
        ("abc", "b", True, "b", 4),
        ("abc", "b", False, "bc", 3),  # one more makes place for the steward
        ("abc", "c", False, "cb", 3),
        ("a", "a", False, "a", 2),
        ("abc", "", True, "c", 4),
        ("a", "", True, "a", 2),
        ("abc", "z", True, "c", 4),  # it has lost its link already, and a watcher that has not noticed
        ("", "", True, "", 5),
    ],
)
def test_where_the_server_bears_fewer_links(own: str, name: str, steward: bool, leaving: str, bears: int) -> None:
    shares = Shares(5, 5, tuple(own), returned=("y",))
    eased = shares.eased(name, 1000.0, easing=300.0, steward=steward)
    staying = tuple(one for one in own if one not in leaving)
    assert eased == (Shares(5, bears, staying, ("y", *leaving), 1000.0) if leaving else shares)


def test_the_steward_waits_until_those_that_leave_have_left() -> None:
    eased = Shares(5, 5, tuple("abc")).eased("c", 1000.0, easing=300.0, steward=True)
    assert eased.eased("", 1299.0, easing=300.0, steward=True) is eased
    assert eased.eased("", 1300.0, easing=300.0, steward=True).own == ("a",)
    assert eased.eased("b", 1001.0, easing=300.0, steward=True).own == ("a",), "a folder that was turned away itself"


def test_links_are_won_back_one_by_one() -> None:
    eased = Shares(5, 3, eased_at=1000.0)
    assert eased.regained(1999.0, after=1000.0) is eased
    assert eased.regained(2000.0, after=1000.0) == replace(eased, bears=4, eased_at=2000.0)
    assert eased.regained(2000.0, after=1000.0).regained(2999.0, after=1000.0).bears == 4
    full = Shares(5, 5, eased_at=-math.inf)
    assert full.regained(1e9, after=1000.0) is full


def test_a_folder_that_is_gone_needs_no_link() -> None:
    shares = Shares(5, 4, tuple("abc"), returned=("d",), eased_at=7.0)
    assert shares.without({"b", "x"}) == replace(shares, own=("a", "c"))
