"""Durations and sizes as people write them."""

import math
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainValidator

__all__ = ["Duration", "Size", "SizeRange", "parse_duration", "parse_size", "parse_size_range"]

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
            raise ValueError(f"is no duration; {allowed}")
        case int() | float():
            seconds = value
        case str() if found := _DURATION.fullmatch(value):
            seconds = float(found[1]) * _SECONDS[found[2]]
        case _:
            raise ValueError(f"is no duration; {allowed}")
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"is out of range; {allowed}")
    return float(seconds)


def parse_size(value: object) -> int:
    """Bytes from a number of bytes or a text such as "64k", "200M", "1G" (powers of 1024). Raises ValueError."""
    allowed = 'allowed are "64k", "200M", "1G" or a number of bytes, above zero'
    match value:
        case bool():
            raise ValueError(f"is no size; {allowed}")
        case int():
            size: float = value
        case str() if found := _SIZE.fullmatch(value):
            size = float(found[1]) * _BYTES[found[2].lower()]
        case _:
            raise ValueError(f"is no size; {allowed}")
    if not 1 <= size < 1 << 62:
        raise ValueError(f"is out of range; {allowed}")
    return math.floor(size)


@dataclass(frozen=True, slots=True)
class SizeRange:
    """A range of sizes in bytes, both ends included."""

    least: int = 0
    most: int | None = None  #: None: without end

    def __contains__(self, size: int) -> bool:
        return self.least <= size and (self.most is None or size <= self.most)


def parse_size_range(value: object) -> SizeRange:
    """The range meant by ">1M", ">=1M", "<10k", "<=10k" or "1M..10M". Raises ValueError."""
    refused = ValueError('is no range of sizes; allowed are ">1M", ">=1M", "<10k", "<=10k" or "1M..10M"')
    text = value if isinstance(value, str) else ""
    try:
        if edge := re.fullmatch(r"([<>]=?) *(.+)", text):
            return _beyond(edge[1], parse_size(edge[2]))
        if ends := re.fullmatch(r"(.+?) *\.\. *(.+)", text):
            between = SizeRange(parse_size(ends[1]), parse_size(ends[2]))
            if between.least in between:
                return between
    except ValueError as error:
        raise refused from error
    raise refused


def _beyond(sign: str, edge: int) -> SizeRange:
    match sign:
        case ">":
            return SizeRange(least=edge + 1)
        case ">=":
            return SizeRange(least=edge)
        case "<":
            return SizeRange(most=edge - 1)
    return SizeRange(most=edge)


Duration = Annotated[float, PlainValidator(parse_duration)]
Size = Annotated[int, PlainValidator(parse_size)]
