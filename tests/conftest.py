"""How all tests run side by side (`make test`): which ones first, how many at a time, and what each finds."""

import os
import signal
from collections.abc import Iterator

import pytest

#: For each core, since most of the time of the long ones is spent on waiting.
WORKERS = 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`."""
    return WORKERS * (os.cpu_count() or 1)


def pytest_configure() -> None:
    """A shell has what it starts with `&` ignore Ctrl-C, and nohup SIGHUP; so would all that the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # ignored still, but by us alone


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Commands that are called in our process leave it as they want it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, those with most time allowed, so that none of them is left over at the end."""
    items.sort(key=_precedence)


def _precedence(item: pytest.Item) -> tuple[bool, float]:
    own = item.get_closest_marker("timeout")
    return item.get_closest_marker("system") is None, -float(own.args[0] if own else 0)
