"""What a scenario measures, and how it tells how far it is."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time

__all__ = ["Figure", "Spread", "cpu_ratio", "judged", "say", "spread"]


@dataclass(frozen=True)
class Figure:
    """One measured number. Numbers that are to hold on any machine are ratios of two things done in the same run."""

    scenario: str
    what: str
    value: float
    unit: str
    target: str = ""  #: in words, "" if there is none
    met: bool | None = None
    who: str = "ours"  #: what was measured


def judged(scenario: str, what: str, value: float, unit: str, who: str, most: float | None) -> Figure:
    """A number that is to be `most` at most, if anything is asked of it."""
    if most is None:
        return Figure(scenario, what, value, unit, who=who)
    return Figure(scenario, what, value, unit, f"at most {most:g}", value <= most, who)


@dataclass(frozen=True)
class Ratio:
    """Processor time of two things, measured in turns."""

    ours: float  #: seconds, median
    theirs: float
    value: float  #: ours by theirs


@dataclass(frozen=True)
class Spread:
    """Percentiles of several measured values."""

    p50: float
    p95: float
    p99: float


_BEGAN = time.monotonic()


def say(what: str) -> None:
    """Tell how far the bench is, on standard error: one line, with the minutes since the start."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGAN), 60)
    sys.stderr.write(f"{minutes:02}:{seconds:02} {what}\n")
    sys.stderr.flush()


def spread(values: Iterable[float]) -> Spread:
    """The smallest values that so many percent do not exceed; of at least one value."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return Spread(*(ordered[min(last, -(-len(ordered) * percent // 100) - 1)] for percent in (50, 95, 99)))


def cpu_ratio(ours: Sequence[Callable[[], object]], theirs: Callable[[], object]) -> Ratio:
    """Each of `ours` is called once, `theirs` after each; the first pair only warms up."""
    pairs = [(_seconds(one), _seconds(theirs)) for one in ours][1:]
    mine, other = (median(column) for column in zip(*pairs, strict=True))
    return Ratio(mine, other, mine / other)


def _seconds(action: Callable[[], object]) -> float:
    start = process_time()
    action()
    return process_time() - start
