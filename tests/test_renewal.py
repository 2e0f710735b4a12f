"""What a path teaches about silence: tables of lives."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.renewal import DAY, FIRST, FLOOR, LAST_RESORT, LONGEST, Renewal


def lives_on(limit: float, *, silently: bool, links: int = 24) -> list[float]:
    """Intervals that links use, one after the other, on a path that ends a link after `limit` seconds of silence."""
    renewal, used = Renewal(), []
    for link in range(links):
        used.append(renewal.interval)
        if silently and renewal.interval > limit:
            renewal = renewal.lost(renewal.interval, float(link))
        elif renewal.interval > limit:
            renewal = renewal.cut(limit, float(link))
    return used


@pytest.mark.parametrize("limit", [5.0, 30.0, 45.0, 60.0, 120.0, 200.0, 239.0])
@pytest.mark.parametrize("silently", [True, False])
def test_a_limit_is_learnt_within_a_few_deaths(limit: float, silently: bool) -> None:
    used = lives_on(limit, silently=silently)
    deaths = sum(interval > limit for interval in used)
    assert deaths <= (3 if not silently else 6 if limit > 10 else 16), used
    assert used[-1] <= limit


def test_one_end_means_nothing() -> None:
    assert Renewal().cut(100.0, 1.0).interval == FIRST
    assert Renewal().cut(100.0, 1.0).cut(30.0, 2.0).interval == FIRST, "two ends at different ages are no limit"
    assert Renewal().cut(100.0, 1.0).cut(105.0, 2.0).interval == 70.0


def test_below_the_floor_only_where_every_link_dies() -> None:
    twice = Renewal().cut(5.0, 1.0).cut(5.0, 2.0)
    assert twice.interval == FLOOR
    assert twice.cut(5.0, 3.0).interval == pytest.approx(3.5)


def test_it_grows_slowly_and_not_above_the_ceiling() -> None:
    renewal = Renewal(100.0, (), 1.0)
    assert renewal.survived(DAY / 2) == renewal
    grown = renewal.survived(1.0 + DAY)
    assert grown.interval == 125.0
    assert grown.survived(2.0 + DAY).interval == 125.0, "it grew twice within a day"
    for day in range(2, 50):
        grown = grown.survived(1.0 + DAY * day)
    assert grown.interval == LONGEST
    assert Renewal(100.0, (), 1.0).survived(1.0 + DAY, ceiling=110.0).interval == 110.0


@given(st.lists(st.tuples(st.sampled_from(["cut", "lost", "survived"]), st.floats(0, 5000)), max_size=40))
def test_the_interval_stays_within_its_bounds(events: list[tuple[str, float]]) -> None:
    renewal = Renewal()
    clock = itertools.count(0, 40_000)
    for kind, silence in events:
        now = float(next(clock))
        renewal = renewal.survived(now) if kind == "survived" else getattr(renewal, kind)(silence, now)
        assert LAST_RESORT <= renewal.interval <= LONGEST
