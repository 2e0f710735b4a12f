"""The clock is set: noticed at once, in both directions, and not where it only goes a little wrong."""

import pytest

from watcher.service.clock import ClockWatch


def test_the_real_one_is_not_set() -> None:
    watch = ClockWatch()
    assert watch.jump() == 0.0


@pytest.mark.parametrize("by", [3600.0, -7200.0, 315_360_000.0, -61.0])
def test_a_jump_is_told_once(by: float) -> None:
    ahead = iter([1e9, 1e9, 1e9 + by, 1e9 + by])
    watch = ClockWatch(lambda: next(ahead))
    assert [watch.jump() for _ in range(3)] == [0.0, by, 0.0]


def test_small_corrections_add_up() -> None:
    ahead = iter([0.0, 30.0, 59.0, 70.0, 71.0])
    watch = ClockWatch(lambda: next(ahead))
    assert [watch.jump() for _ in range(4)] == [0.0, 0.0, 70.0, 0.0]
