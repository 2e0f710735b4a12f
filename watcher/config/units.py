"""Durations and sizes as people write them."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import PlainValidator

__all__ = ["Duration", "Range", "Size", "parse_age_range", "parse_duration", "parse_size", "parse_size_range"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) *([smhd])", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)

#: Ten years: longer waits are slips, and some system calls overflow on them.
_LONGEST = 3650 * 86400.0


def parse_duration(value: object) -> float:
    """Seconds from a number of seconds or a text such as "90s", "15m", "2h", "7d". Raises ValueError."""
    allowed = 'allowed are "90s", "15m", "2h", "7d" or a number of seconds, above zero and up to ten years'
    match value:
        case bool():
            raise ValueError(f"is not a duration; {allowed}")
        case int() | float():
            seconds = value
        case str() if found := _DURATION.fullmatch(value):
            seconds = float(found[1]) * _SECONDS[found[2]]
        case _:
            raise ValueError(f"is not a duration; {allowed}")
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"is out of range; {allowed}")
    return float(seconds)


def parse_size(value: object) -> int:
    """Bytes from a number of bytes or a text such as "64k", "200M", "1G" (powers of 1024). Raises ValueError."""
    allowed = 'allowed are "64k", "200M", "1G" or a number of bytes, above zero'
    match value:
        case bool():
            raise ValueError(f"is not a size; {allowed}")
        case int():
            size: float = value
        case str() if found := _SIZE.fullmatch(value):
            size = float(found[1]) * _BYTES[found[2].lower()]
        case _:
            raise ValueError(f"is not a size; {allowed}")
    if not 1 <= size < 1 << 62:
        raise ValueError(f"is out of range; {allowed}")
    return math.floor(size)


@dataclass(frozen=True, slots=True)
class Range:
    """A range of sizes in bytes, or of ages in seconds; both ends included."""

    least: float = 0
    most: float | None = None  #: None: without end
    text: str = field(default="", compare=False)  #: as it was written

    def __contains__(self, value: float) -> bool:
        return self.least <= value and (self.most is None or value <= self.most)

    def meets(self, least: float, most: float) -> bool:
        """Whether anything from `least` to `most` is in it."""
        return self.least <= most and (self.most is None or least <= self.most)


def parse_size_range(value: object) -> Range:
    """The range meant by ">1M", ">=1M", "<10k", "<=10k" or "1M..10M". Raises ValueError."""
    found = _range(value, parse_size, 1)
    if found is None:
        raise ValueError('is not a range of sizes; allowed are ">1M", ">=1M", "<10k", "<=10k" or "1M..10M"')
    return found


def parse_age_range(value: object) -> Range:
    """The range meant by ">2d", ">=2d", "<1h", "<=1h" or "1h..2d". Raises ValueError."""
    found = _range(value, parse_duration, 0)
    if found is None:
        raise ValueError('is not a range of ages; allowed are ">2d", ">=2d", "<1h", "<=1h" or "1h..2d"')
    return found


def _range(value: object, parse: Callable[[object], float], step: int) -> Range | None:
    """`step`: by how much the next value is bigger, so that ">" means something; None if it is no range."""
    text = value if isinstance(value, str) else ""
    try:
        if edge := re.fullmatch(r"([<>])(=?) *(.+)", text):
            end, beyond = parse(edge[3]), 0 if edge[2] else step
            return Range(least=end + beyond, text=text) if edge[1] == ">" else Range(most=end - beyond, text=text)
        if ends := re.fullmatch(r"(.+?) *\.\. *(.+)", text):
            least, most = parse(ends[1]), parse(ends[2])
            return Range(least, most, text) if least <= most else None
    except ValueError:
        return None
    return None


Duration = Annotated[float, PlainValidator(parse_duration)]
Size = Annotated[int, PlainValidator(parse_size)]
