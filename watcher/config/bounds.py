"""The section `[limits]`: how much of a mail is looked at, and what looking may cost."""

import dataclasses

from watcher.config.shape import alternatives
from watcher.config.units import parse_duration, parse_size
from watcher.limits import Limits

__all__ = ["parse_limits"]

#: What is counted in pieces; all else is bytes, and `seconds`.
COUNTED = frozenset({"fields", "people", "parts", "depth", "defects"})


def parse_limits(value: object) -> Limits:
    """The usual limits but for those that are given. Raises ValueError that names the first that is wrong."""
    if isinstance(value, Limits):
        return value
    if not isinstance(value, dict):
        raise ValueError('is not a table; allowed is a table such as { parts = 1000, memory = "1G" }')  # noqa: TRY004 - pydantic wants it
    known = [field.name for field in dataclasses.fields(Limits)]
    given: dict[str, float] = {}
    for name, wanted in value.items():
        if name not in known:
            raise ValueError(f"{name} is unknown; {alternatives(name, known)}")
        try:
            given[name] = bound(name, wanted)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
    return Limits(**given)  # type: ignore[arg-type]  # counts and bytes are int, seconds float


def bound(name: str, wanted: object) -> float:
    if name == "seconds":
        return parse_duration(wanted)
    if name not in COUNTED:
        return parse_size(wanted)
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise ValueError("is not a number of things; allowed is a whole number from 1 on")
    return wanted
