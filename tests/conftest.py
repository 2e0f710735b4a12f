"""How all tests run side by side (`make test`): which ones first, and how many at a time."""

import os

import pytest

#: For each core, since most of the time of the long ones is spent on waiting.
WORKERS = 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`."""
    return WORKERS * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, those with most time allowed, so that none of them is left over at the end."""
    items.sort(key=_precedence)


def _precedence(item: pytest.Item) -> tuple[bool, float]:
    own = item.get_closest_marker("timeout")
    return item.get_closest_marker("system") is None, -float(own.args[0] if own else 0)
